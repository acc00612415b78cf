//! A dropped or kept file, read piece by piece: the browser holds its bytes, the engine never has more than a slice.

use std::ops::Range;

use dsee_core::source::{ByteSource, Reading, SourceError};
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

/// A blob as bytes to read.
pub struct BlobSource(pub Blob);

impl ByteSource for BlobSource {
    fn len(&self) -> u64 {
        // Sizes of files are whole numbers far below 2^53.
        self.0.size() as u64
    }

    fn read(&self, range: Range<u64>) -> Reading<'_> {
        Box::pin(async move {
            let slice =
                self.0.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(failed)?;
            let buffer = JsFuture::from(slice.array_buffer()).await.map_err(failed)?;
            Ok(Uint8Array::new(&buffer).to_vec())
        })
    }
}

fn failed(error: JsValue) -> SourceError {
    let reason = js_sys::Error::from(error).message();
    // Browsers say little here; by far the most common reason is a file that was changed or moved.
    SourceError(format!("{}; if it was changed or moved, choose it again", String::from(reason)))
}
