//! Files that were chosen or dropped for a model: which of them make one, and what is wrong with the others.

use crate::shell::FileRef;

/// Files that belong to a model folder, by the end of their names.
const MODEL_FILES: [&str; 12] = [
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "generation_config.json",
    // Never read, but the engine says so and names what it needs instead.
    "pytorch_model.bin",
];

/// Folder and name of a file.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once(['/', '\\']).unwrap_or(("", path))
}

/// Whether a file belongs to a model, going by its name.
#[must_use]
pub fn is_model_file(path: &str) -> bool {
    let (_, name) = split(path);
    // Shards are called model-00001-of-00003.safetensors; whoever renames a file drops it as something.safetensors.
    MODEL_FILES.contains(&name) || name.ends_with(".safetensors")
}

/// Whether a file holds labelled text, going by its name.
#[must_use]
pub fn is_data_file(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    [".csv", ".tsv", ".jsonl"].iter().any(|ending| name.ends_with(ending))
}

/// Whether a file holds settings, going by its name.
#[must_use]
pub fn is_settings_file(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(".toml")
}

/// The files of a model among `files`, by their names inside its folder, and the folder's name.
///
/// Folders inside the folder may hold a `config.json` of their own (`1_Pooling`, for example): only files beside the
/// outermost one count.
#[must_use]
pub fn model_files(files: &[FileRef]) -> (String, Vec<FileRef>) {
    let candidates = files.iter().filter(|file| is_model_file(&file.name));
    let depth = |file: &&FileRef| file.name.matches(['/', '\\']).count();
    let Some(outermost) = candidates.clone().min_by_key(depth) else { return (String::new(), Vec::new()) };
    let (folder, _) = split(&outermost.name);
    let inside = candidates.filter(|file| split(&file.name).0 == folder);
    let plain = inside.map(|file| FileRef { name: split(&file.name).1.to_owned(), ..file.clone() });
    (split(folder).1.to_owned(), plain.collect())
}

/// What is wrong with dropped files that are neither a model, data nor settings: one sentence each.
#[must_use]
pub fn unknown_files(files: &[FileRef]) -> Vec<String> {
    let known = |name: &str| is_model_file(name) || is_data_file(name) || is_settings_file(name);
    let unknown = files.iter().filter(|file| !known(&file.name));
    unknown.map(|file| format!("{}: {}", file.name, what_is_wrong(&file.name))).collect()
}

/// What is wrong with files that were chosen for a model and hold nothing of one.
#[must_use]
pub fn no_model(files: &[FileRef]) -> Vec<String> {
    let line = |file: &FileRef| match is_data_file(&file.name) || is_settings_file(&file.name) {
        true => format!("{}: not a file of a model", file.name),
        false => format!("{}: {}", file.name, what_is_wrong(&file.name)),
    };
    let needed = "A model needs config.json, model.safetensors, and tokenizer.json (or vocab.txt, or vocab.json and merges.txt).";
    files.iter().map(line).chain([needed.to_owned()]).collect()
}

fn what_is_wrong(name: &str) -> &'static str {
    let name = name.to_ascii_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "bin" | "pt" | "pth" | "ckpt" | "pkl" => {
            "this format can run code when it is opened, so it is never read; save the model as model.safetensors"
        }
        "h5" | "msgpack" | "onnx" | "gguf" | "tflite" => {
            "another program's weights; this one reads model.safetensors"
        }
        "zip" | "gz" | "tar" | "7z" => "an archive; unpack it and drop the folder",
        "xlsx" | "xls" | "ods" => "a spreadsheet; save the sheet as .csv",
        "json" => "not a file of a model folder; data as JSON have one object on each line and end in .jsonl",
        "txt" | "md" | "pdf" | "docx" => {
            "not labelled data; those are tables that end in .csv, .tsv or .jsonl"
        }
        "parquet" | "arrow" => "a column format that is not read; save the table as .csv",
        _ => "unknown; drop a model folder, data (.csv, .tsv, .jsonl) or settings (.toml)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<FileRef> {
        (1..)
            .zip(names)
            .map(|(id, name)| FileRef { id, name: (*name).to_owned(), n_bytes: 1, text: None })
            .collect()
    }

    #[test]
    fn inner_folders_are_no_part_of_the_model() {
        let all = files(&["m/1_Pooling/config.json", "m/config.json", "m/model.safetensors", "m/README.md"]);
        let (name, found) = model_files(&all);
        let names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
        assert_eq!((name.as_str(), names.as_slice()), ("m", ["config.json", "model.safetensors"].as_slice()));
        assert_eq!(found[0].id, 2);
    }

    #[test]
    fn every_unknown_file_is_named() {
        let lines = unknown_files(&files(&["a.csv", "b.xlsx", "c", "run.toml", "vocab.txt", "notes.txt"]));
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("b.xlsx: ") && lines[0].contains(".csv"));
        assert!(lines[1].starts_with("c: unknown"));
        assert!(lines[2].starts_with("notes.txt: "));
    }
}
