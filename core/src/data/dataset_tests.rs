//! Whole files through the reader: the layouts of GLUE, and every bad input with its message.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;
use crate::data::{EncodedDataset, LengthHistogram, class_counts};
use crate::tasks::Task;
use crate::tokenizer::{CaseRule, Tokenizer};

fn file<'a>(name: &'a str, text: &'a str) -> DataFile<'a> {
    DataFile { name, bytes: text.as_bytes() }
}

fn splits(train: &str, validation: &str) -> Result<DataSplits, String> {
    let validation = (!validation.is_empty()).then(|| file("dev.tsv", validation));
    load_splits(file("train.tsv", train), validation, &DataOptions::default()).map_err(|e| e.to_string())
}

/// What a user reads about a training file.
fn message(train: &str) -> String {
    splits(train, "").unwrap_err()
}

fn warnings(splits: &DataSplits) -> Vec<String> {
    splits.warnings.iter().map(ToString::to_string).collect()
}

const TRAIN: &str = "sentence\tlabel\na fine film \t1\nno wit \t0\na joy\t1\ndull\t0\n";

#[test]
fn single_sentences_keep_their_spaces() {
    let splits = splits(TRAIN, "sentence\tlabel\nso dull \t0\nquite fine\t1\n").unwrap();
    assert_eq!(splits.train.labels, LabelSet::Classes(vec!["0".into(), "1".into()]));
    assert_eq!(splits.train.examples[0].text, "a fine film ");
    assert_eq!(splits.train.examples[0].label, Label::Class(1));
    assert_eq!((class_counts(&splits.train), splits.validation.examples.len()), (vec![2, 2], 2));
    assert!(!splits.validation_is_split && splits.warnings.is_empty());
    assert_eq!(splits.columns.to_string(), "columns: text = sentence, label = label");
}

#[test]
fn every_format_gives_the_same_examples() {
    let csv = "sentence,label\n\"a fine film \",1\nno wit ,0\na joy,1\ndull,0\n";
    let lines = "{\"sentence\":\"a fine film \",\"label\":1}\n{\"sentence\":\"no wit \",\"label\":0}\n\
                 {\"label\":\"1\",\"sentence\":\"a joy\"}\n{\"sentence\":\"dull\",\"label\":0.0}\n";
    let array = format!("[{}]", lines.trim_end().replace('\n', ",\n"));
    let windows = TRAIN.replace('\n', "\r\n");
    let load = |name, text: &str| {
        let dev = file("dev.tsv", "label\tsentence\n0\tx\n1\ty\n");
        load_splits(file(name, text), Some(dev), &DataOptions::default()).unwrap().train
    };
    let expected = load("train.tsv", TRAIN);
    for (name, text) in [
        ("train.csv", csv),
        ("train.jsonl", lines),
        ("train.json", &array),
        ("train.tsv", &windows),
        ("train", &windows),
    ] {
        assert_eq!(load(name, text), expected, "{name}");
    }
}

#[test]
fn pairs_scores_and_files_without_header() {
    let stsb = "index\tsentence1\tsentence2\tscore\n0\tA.\tB.\t5.000\n1\tC.\tD.\t3.8\n2\tE.\tF.\t0\n";
    let scores = splits(stsb, "").unwrap();
    assert_eq!(scores.train.labels, LabelSet::Scores);
    assert_eq!((scores.train.examples.len(), scores.validation.examples.len()), (2, 1));
    assert!(scores.validation_is_split && scores.train.examples[0].text_pair.is_some());
    let cola =
        "gj04\t1\t\tHe left early.\ngj04\t0\t*\tLeft he early.\nbc01\t1\t\tI know.\nbc01\t0\t*\tKnow I.\n";
    let dev = "ab12\t0\t*\tSaw he.\n";
    let cola = splits(cola, dev).unwrap();
    assert_eq!(cola.train.examples.len(), 4);
    assert_eq!(cola.validation.examples[0].text, "Saw he.");
    assert_eq!(warnings(&cola).len(), 2, "{:?}", cola.warnings); // no "1" in validation, and one example
}

#[test]
fn empty_one_row_and_shapeless_files() {
    assert!(message("").contains("found an empty file"));
    assert!(message("sentence\tlabel\n").contains("a header and no rows"));
    let one = message("sentence\tlabel\nfine\t1\n");
    assert!(one.contains("found one row; expected at least two rows"), "{one}");
    let one_empty = message("sentence\tlabel\n \t1\n");
    assert!(
        one_empty.contains("2 problems")
            && one_empty.contains("line 2, column sentence: found an empty text")
    );
    let ragged = message("sentence\tlabel\nfine\t1\nbad\nx\t0\t9\n");
    assert!(ragged.contains("2 problems") && ragged.contains("line 3: found 1 cells"), "{ragged}");
    let missing = message("index\tsentence\n1\tfine\n2\tbad\n");
    assert!(missing.contains("one of the columns index, sentence; pass --label-column"), "{missing}");
}

#[test]
fn bad_rows_are_all_reported_with_line_and_column() {
    let text = "sentence\tlabel\n  \t1\nfine\t\n\nbad\t0\ngood\t1\n";
    let message = message(text);
    assert!(message.contains("2 problems in the data file train.tsv"), "{message}");
    assert!(message.contains("line 2, column sentence: found an empty text"), "{message}");
    assert!(message.contains("line 3, column label: found no label"), "{message}");
    let lines =
        "{\"text\":\"a\",\"label\":0}\n{\"label\":1}\n{\"text\":[\"b\"],\"label\":1}\n{\"text\":\"c\"}\n";
    let error = load_splits(file("t.jsonl", lines), None, &DataOptions::default()).unwrap_err().to_string();
    for part in [
        "line 2, column text: found no value",
        "line 3, column text: found a JSON array",
        "line 4, column label: found no label",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
}

#[test]
fn labels_that_do_not_fit_the_task() {
    let floats = "sentence\tlabel\na\t0.5\nb\t1.25\nc\t1\n";
    let options = DataOptions { kind: Some(TaskKind::Classification), ..DataOptions::default() };
    let error = load_splits(file("train.tsv", floats), None, &options).unwrap_err().to_string();
    assert!(error.contains("line 2, column label: found the number 0.5 as a label"), "{error}");
    assert!(error.contains("2 problems"), "{error}");
    let words = message("sentence\tlabel\na\t0.5\nb\thigh\nc\t1.5\nd\t2.5\n");
    assert!(
        words.contains("1 problem ") && words.contains("line 3, column label: found \"high\""),
        "{words}"
    );
    assert!(message("sentence\tlabel\na\tx\nb\tx\n").contains("column label: found only one class, \"x\""));
}

#[test]
fn an_unknown_validation_label_is_located() {
    let error = splits(TRAIN, "sentence\tlabel\nx\t1\ny\t2\nz\tpos\n").unwrap_err();
    assert!(error.contains("2 problems in the data file dev.tsv"), "{error}");
    assert!(
        error.contains("line 3, column label: found the unknown label \"2\"; expected one of \"0\", \"1\"")
    );
}

#[test]
fn both_files_are_judged_at_once() {
    let error = load_splits(
        file("train.tsv", "sentence\tlabel\n \t1\nb\t0\n"),
        Some(DataFile { name: "dev.csv", bytes: b"sentence,label\ncaf\xe9,1\n" }),
        &DataOptions::default(),
    )
    .unwrap_err();
    assert_eq!(
        error.files.iter().map(|error| error.file.as_str()).collect::<Vec<_>>(),
        ["train.tsv", "dev.csv"]
    );
    assert!(error.to_string().contains("0xe9"));
    let error = splits(TRAIN, "sentence1\tsentence2\tlabel\na\tb\t1\nc\td\t0\n").unwrap_err();
    assert!(error.contains("one text in both files"), "{error}");
}

#[test]
fn doubtful_data_get_warnings() {
    let train = "sentence\tlabel\na\tpos\nb\tPos\nc\tneg\n\nd\tpos\ne\tneg\nf\tPos\n";
    let warnings = warnings(&splits(train, "sentence\tlabel\na\tpos\nz\tneg\n").unwrap());
    for part in [
        "1 blank lines are left out of train.tsv",
        "\"Pos\" and \"pos\" differ only in case",
        "no example has the label \"Pos\" in the validation set",
        "1 of 2 validation examples are also training examples",
    ] {
        assert!(warnings.iter().any(|warning| warning.contains(part)), "{part} is not in {warnings:?}");
    }
    let half = splits("sentence1\tsentence2\tlabel\na\t\t1\nb\tc\t0\nd\te\t1\n", "").unwrap();
    assert!(half.warnings.contains(&DataWarning::HalfEmptyPairs { file: "train.tsv".into(), n_rows: 1 }));
    let half = "sentence1\tsentence2\tlabel\na\t\t1\nb\tc\t0\n\t\t1\n";
    assert!(message(half).contains("1 problem ") && message(half).contains("line 4, column sentence1"));
}

#[test]
fn samples_and_seeds() {
    let rows: String = (0..200).map(|i| format!("text {i}\t{}\n", i % 2)).collect();
    let text = format!("sentence\tlabel\n{rows}");
    let load = |max_train_samples, seed| {
        let options = DataOptions { max_train_samples, seed, ..DataOptions::default() };
        load_splits(file("train.tsv", &text), None, &options).unwrap()
    };
    let all = load(None, 1);
    assert_eq!((all.train.examples.len(), all.validation.examples.len()), (180, 20));
    let some = load(Some(30), 1);
    assert_eq!((some.train.examples.len(), &some.validation), (30, &all.validation));
    assert_eq!(load(Some(30), 1), some);
    assert_ne!(load(Some(30), 2).train, some.train);
}

#[test]
fn evaluation_and_prediction_use_the_labels_of_the_model() {
    let labels = LabelSet::Classes(vec!["negative".into(), "positive".into()]);
    let choice = ColumnChoice::default();
    let loaded =
        load_labelled(file("dev.tsv", "text\tlabel\na\tpositive\nb\tnegative\n"), &choice, &labels).unwrap();
    assert_eq!(loaded.dataset.examples[0].label, Label::Class(1));
    assert!(
        load_labelled(file("dev.tsv", "text\tlabel\na\tgreat\nb\tnegative\n"), &choice, &labels).is_err()
    );
    let texts = load_texts(file("in.tsv", "index\tsentence\n0\tfine\n1\tbad\n"), &choice, &labels).unwrap();
    assert_eq!(texts.dataset.examples[1].text, "bad");
    assert_eq!(texts.dataset.examples[1].label, Label::Unknown);
    assert_eq!(texts.columns.to_string(), "columns: text = sentence");
    // A single line is enough to predict.
    assert_eq!(
        load_texts(file("in.txt", "hello there\n"), &choice, &labels).unwrap().dataset.examples.len(),
        1
    );
}

#[test]
fn texts_longer_than_the_model_are_cut_and_counted() {
    let tokenizer =
        Tokenizer::from_vocab("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nw\n", CaseRule::Lower)
            .unwrap();
    let text = format!("sentence\tlabel\n{}\t1\nw\t0\n", "w ".repeat(600));
    let loaded = load_labelled(
        file("dev.tsv", &text),
        &ColumnChoice::default(),
        &LabelSet::Classes(vec!["0".into(), "1".into()]),
    )
    .unwrap();
    let encoded = EncodedDataset::new(&loaded.dataset, &tokenizer, 512).unwrap();
    assert_eq!((encoded.length(0), encoded.length(1), encoded.lengths_before()), (512, 3, &[602, 3][..]));
    let histogram = LengthHistogram::new(&encoded, 512).to_string();
    assert!(histogram.contains("1 of 2 examples (50.0 %) are cut at 512"), "{histogram}");
    assert!(EncodedDataset::new(&loaded.dataset, &tokenizer, 2).is_err());
}

fn of_task(task: Task) -> DataOptions {
    let columns = ColumnChoice { task: Some(task), ..ColumnChoice::default() };
    DataOptions { columns, ..DataOptions::default() }
}

#[test]
fn a_task_names_columns_and_labels() {
    let train = "gj04\t1\t\tIt left.\ngj04\t0\t*\tLeft it.\ngj04\t1\t\tIt came.\n";
    let dev = "sentence\tlabel\nIt ran.\t1\nRan it.\tunacceptable\n";
    let splits =
        load_splits(file("train.tsv", train), Some(file("dev.tsv", dev)), &of_task(Task::Cola)).unwrap();
    assert_eq!(splits.train.labels.names(), ["unacceptable", "acceptable"]);
    assert_eq!(splits.train.examples[0].text, "It left.");
    let labels: Vec<Label> = splits.validation.examples.iter().map(|example| example.label).collect();
    assert_eq!(labels, [Label::Class(1), Label::Class(0)]);
}

#[test]
fn a_file_of_another_task_is_refused_with_every_problem() {
    let train = "sentence\tlabel\nfine\tpositive\nbad\tterrible\ndull\t2\n";
    let message = load_splits(file("train.tsv", train), None, &of_task(Task::Sst2)).unwrap_err().to_string();
    for part in ["2 problems", "line 3", "\"terrible\"", "line 4", "the task sst2 has no other labels"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let message = load_splits(file("train.tsv", train), None, &of_task(Task::E2e)).unwrap_err().to_string();
    assert!(message.contains("generation") && message.contains("decoder"), "{message}");
}

#[test]
fn mnli_has_two_validation_sets() {
    let rows = "premise\thypothesis\tlabel\na\tb\t0\nc\td\t2\ne\tf\t1\n";
    let options = DataOptions { max_eval_samples: Some(2), ..of_task(Task::Mnli) };
    let mut splits = load_splits(file("train.tsv", rows), Some(file("m.tsv", rows)), &options).unwrap();
    let mismatched = "sentence1\tsentence2\tgold_label\nx\ty\tneutral\nx\tz\tentailment\nx\tw\tneutral\n";
    splits.read_mismatched(file("mm.tsv", mismatched), &options).unwrap();
    let labels: Vec<Label> = splits.mismatched.unwrap().examples.iter().map(|e| e.label).collect();
    assert_eq!(labels, [Label::Class(1), Label::Class(0)]);
    let mut splits = load_splits(file("train.tsv", rows), None, &options).unwrap();
    let wrong = splits.read_mismatched(file("mm.tsv", "premise\tlabel\na\t0\n"), &options).unwrap_err();
    assert!(wrong.to_string().contains("mm.tsv") && wrong.to_string().contains("hypothesis"), "{wrong}");
}
