//! Commands and events as messages between page and worker: JSON text, with large bytes beside it.

use std::rc::Rc;

use dsee_core::{
    engine::service::{Reply, Request},
    protocol::Command,
    source::{Attachment, NamedBytes},
};
use dsee_ui::FileInput;
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::{
    blob_source::BlobSource,
    bridge::{AttachedBlob, CommandMessage},
};

/// Files beside a command, as the page's script takes them: `{ name, id }` for one it holds, else `{ name, bytes }`.
pub fn outgoing_files(files: &[FileInput]) -> Array {
    let object = |file: &FileInput| match file {
        FileInput::Held(file) => {
            object(&[("name", file.name.as_str().into()), ("id", JsValue::from_f64(file.id as f64))])
        }
        FileInput::Bytes(file) => object(&[
            ("name", file.name.as_str().into()),
            ("bytes", Uint8Array::from(&file.bytes[..]).into()),
        ]),
    };
    files.iter().map(object).collect()
}

/// A command as it arrives in the worker.
///
/// # Errors
/// If it is not one of this version's commands; says what is wrong.
pub fn read_request(message: &CommandMessage) -> Result<Request, String> {
    let command: Command = serde_json::from_str(&message.command()).map_err(|error| error.to_string())?;
    Ok(Request { command, attachments: read_files(&message.attachments()) })
}

/// Files as they arrive in the worker, `{ name, blob }`.
pub fn read_files(files: &Array) -> Vec<Attachment> {
    let attachment = |value: JsValue| {
        let file: AttachedBlob = value.unchecked_into();
        Attachment { name: file.name(), source: Rc::new(BlobSource(file.blob())) }
    };
    files.iter().map(attachment).collect()
}

/// The bytes beside an event, `{ name, buffer }`; the buffers are handed over, not copied, when they are posted.
pub fn outgoing_bytes(reply: &Reply) -> Array {
    let object = |part: &NamedBytes| {
        let buffer = Uint8Array::from(&part.bytes[..]).buffer();
        object(&[("name", part.name.as_str().into()), ("buffer", buffer.into())])
    };
    reply.attachments.iter().map(object).collect()
}

/// The bytes beside an event as they arrive in the page.
pub fn incoming_bytes(attachments: &Array) -> Vec<NamedBytes> {
    let part = |value: JsValue| {
        let get = |name: &str| Reflect::get(&value, &name.into()).unwrap_or_default();
        NamedBytes {
            name: get("name").as_string().unwrap_or_default(),
            bytes: Uint8Array::new(&get("buffer")).to_vec(),
        }
    };
    attachments.iter().map(part).collect()
}

fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // A new plain object takes every field.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}
