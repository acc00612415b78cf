//! Every form of file, and what is wrong with files of other tasks.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;
use crate::tasks::Task;

fn load(name: &str, text: &str, task: Option<Task>) -> Result<Vec<GenerationExample>, String> {
    let choice = ColumnChoice { task, ..ColumnChoice::default() };
    let file = DataFile { name, bytes: text.as_bytes() };
    load_generation(file, &choice, &mut Vec::new()).map_err(|error| error.to_string())
}

fn example(context: &str, completions: &[&str], seen: Option<bool>) -> GenerationExample {
    let completions = completions.iter().map(ToString::to_string).collect();
    GenerationExample { context: context.to_owned(), completions, seen }
}

#[test]
fn contexts_need_no_texts_where_texts_are_written_for_them() {
    let contexts = |name: &str, text: &str, task: Option<Task>| {
        let choice = ColumnChoice { task, ..ColumnChoice::default() };
        load_contexts(DataFile { name, bytes: text.as_bytes() }, &choice, &mut Vec::new())
            .map_err(|error| error.to_string())
    };
    let xml = "<entry category=\"Airport\"><modifiedtripleset><mtriple>A | is | B</mtriple></modifiedtripleset></entry>";
    for (name, text, task, expected) in [
        ("mr.csv", "mr\n\"name[A], food[Thai]\"\n", Some(Task::E2e), "name : A | food : Thai"),
        ("a.tsv", "context\tother\nname : A\t1\n", None, "name : A"),
        ("a.jsonl", "{\"prompt\": \"name : A\"}\n", None, "name : A"),
        ("a.json", "[{\"tripleset\": [[\"A\", \"IS\", \"B\"]]}]", Some(Task::Dart), "A : is : B"),
        ("a.xml", xml, Some(Task::Webnlg), "A : is : B"),
        ("a.txt", "name : A||It is.\nname : A||It was.\n", Some(Task::E2e), "name : A"),
    ] {
        assert_eq!(contexts(name, text, task).unwrap(), [expected], "{name}");
    }
    assert!(contexts("a.tsv", "label\tother\n1\t2\n", None).unwrap_err().contains("not context"));
}

const LINES: &str =
    "name : A | Type : pub||A is a pub . \nname : B||B is here . \n\nname : A | Type : pub||There is A . \n";

#[test]
fn lines_are_grouped_by_context_in_order() {
    let expected = [
        example("name : A | Type : pub", &["A is a pub .", "There is A ."], None),
        example("name : B", &["B is here ."], None),
    ];
    assert_eq!(load("train.txt", LINES, Some(Task::E2e)).unwrap(), expected);
    assert_eq!(load("train.txt", LINES, None).unwrap(), expected);
    assert_eq!(load("again.txt", &as_lines(&expected), None).unwrap(), expected);
}

#[test]
fn the_challenges_table_gives_the_same_contexts() {
    let csv = "mr,ref\n\"name[A], eatType[pub]\",A is a pub.\n\"name[A], eatType[pub]\",\"There, A.\"\n";
    let expected = [example("name : A | Type : pub", &["A is a pub.", "There, A."], None)];
    assert_eq!(load("trainset.csv", csv, Some(Task::E2e)).unwrap(), expected);
    let tsv = "mr\tref\nname[A], eatType[pub]\tA is a pub.\nname[A], eatType[pub]\tThere, A.\n";
    assert_eq!(load("train.tsv", tsv, Some(Task::E2e)).unwrap(), expected);
    let message = load("train.tsv", "mr\tref\nname[A], pub\tA.\nname[A]\tA.\n", Some(Task::E2e)).unwrap_err();
    assert!(message.contains("line 2") && message.contains("\"pub\""), "{message}");
}

#[test]
fn webnlg_comes_as_xml_and_as_json() {
    let xml = "<benchmark><entries><entry category=\"Airport\" eid=\"Id1\" size=\"2\">\n<originaltripleset><otriple>\
               X | y | Z</otriple></originaltripleset><modifiedtripleset><mtriple>A_B | leaderName | C&amp;D</mtriple>\
               <mtriple>A_B | city | \"E, F\"</mtriple></modifiedtripleset>\n<lex comment=\"good\" lid=\"Id1\">C leads.</lex>\n\
               <lex comment=\"toFix\" lid=\"Id2\">Bad.</lex><lex comment=\"good\" lid=\"Id3\">Led by C.</lex></entry>\n\
               <entry category=\"Artist\"><mtriple>G | born | H</mtriple><lex comment=\"good\">G.</lex></entry></entries></benchmark>";
    let expected = [
        example("A_B : leaderName : C&D | A_B : city : \"E, F\"", &["C leads.", "Led by C."], Some(true)),
        example("G : born : H", &["G."], Some(false)),
    ];
    assert_eq!(load("train.xml", xml, Some(Task::Webnlg)).unwrap(), expected);
    let json = "{\"category\": \"Airport\", \"triples\": [[\"A_B\", \"leaderName\", \"C&D\"], [\"A_B\", \"city\", \
                \"\\\"E, F\\\"\"]], \"refs\": [{\"comment\": \"good\", \"text\": \"C leads.\"}, {\"comment\": \"toFix\", \
                \"text\": \"Bad.\"}, {\"comment\": \"good\", \"text\": \"Led by C.\"}]}\n\
                {\"category\": \"Artist\", \"modifiedtripleset\": [{\"subject\": \"G\", \"property\": \"born\", \
                \"object\": \"H\"}], \"lexicalisations\": [{\"comment\": \"good\", \"lex\": \"G.\"}]}\n";
    assert_eq!(load("train.jsonl", json, Some(Task::Webnlg)).unwrap(), expected);
}

#[test]
fn dart_has_small_properties_and_one_text_for_each_annotation() {
    let array = "[{\"tripleset\": [[\"Mars Hill\", \"JOINED IN\", \"1973\"]], \"annotations\": [{\"source\": \"W\", \
                 \"text\": \"It joined.\"}, {\"source\": \"V\", \"text\": \"Joined in 1973.\"}]},\n{\"tripleset\": \
                 [[\"Mars Hill\", \"JOINED IN\", \"1973\"]], \"annotations\": [{\"source\": \"W\", \"text\": \"More.\"}]}]";
    let expected =
        [example("Mars Hill : joined in : 1973", &["It joined.", "Joined in 1973.", "More."], None)];
    assert_eq!(load("dart.json", array, Some(Task::Dart)).unwrap(), expected);
}

#[test]
fn lists_that_the_hub_keeps_as_columns_are_read() {
    let webnlg = "{\"category\": \"Airport\", \"size\": 2, \"original_triple_sets\": {\"otriple_set\": [[\"X | y | Z\"]]}, \
                  \"modified_triple_sets\": {\"mtriple_set\": [[\"A_B | leaderName | C | D\", \"A_B | city | E\"]]}, \"lex\": \
                  {\"comment\": [\"good\", \"toFix\", \"good\"], \"lid\": [\"1\", \"2\", \"3\"], \"text\": [\"C leads.\", \
                  \"Bad.\", \"Led by C.\"], \"lang\": []}}\n";
    let expected =
        [example("A_B : leaderName : C | D | A_B : city : E", &["C leads.", "Led by C."], Some(true))];
    assert_eq!(load("train.jsonl", webnlg, Some(Task::Webnlg)).unwrap(), expected);
    let dart = "{\"tripleset\": [[\"A\", \"IS IN\", \"B\"]], \"subtree_was_extended\": false, \"annotations\": {\"source\": \
                [\"W\", \"V\"], \"text\": [\"A is in B.\", \"B has A.\"]}}\n";
    let expected = [example("A : is in : B", &["A is in B.", "B has A."], None)];
    assert_eq!(load("train.jsonl", dart, Some(Task::Dart)).unwrap(), expected);
    let broken = dart.replace("[\"W\", \"V\"]", "\"W\"");
    let message = load("train.jsonl", &broken, Some(Task::Dart)).unwrap_err();
    assert!(message.contains("line 1") && message.contains("annotations"), "{message}");
}

#[test]
fn prompts_and_answers_need_no_task() {
    let json =
        "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\", \"completions\": [\"c\", \"d\"]}\n";
    assert_eq!(load("data.jsonl", json, None).unwrap(), [example("a", &["b", "c", "d"], None)]);
    assert_eq!(load("data.tsv", "prompt\tresponse\na\tb\n", None).unwrap(), [example("a", &["b"], None)]);
}

#[test]
fn entries_without_a_good_text_are_left_out_and_counted() {
    let json = "{\"category\": \"Food\", \"triples\": [[\"a\", \"b\", \"c\"]], \"refs\": [{\"comment\": \"toFix\", \
                \"text\": \"x\"}]}\n{\"category\": \"Food\", \"triples\": [[\"d\", \"e\", \"f\"]], \"refs\": [\"y\"]}\n";
    let choice = ColumnChoice { task: Some(Task::Webnlg), ..ColumnChoice::default() };
    let mut warnings = Vec::new();
    let file = DataFile { name: "a.jsonl", bytes: json.as_bytes() };
    assert_eq!(load_generation(file, &choice, &mut warnings).unwrap().len(), 1);
    assert_eq!(warnings, [DataWarning::NoGoodText { file: "a.jsonl".to_owned(), n_meanings: 1 }]);
}

#[test]
fn files_of_other_tasks_are_named() {
    let dart = "{\"triples\": [[\"a\", \"b\", \"c\"]], \"refs\": [{\"source\": \"x\", \"text\": \"y\"}]}\n";
    let cases = [
        (
            Task::E2e,
            "sst2.tsv",
            "sentence\tlabel\nfine\t1\nbad\t0\n",
            "the columns sentence, label, but not mr, ref",
        ),
        (Task::Webnlg, "sst2.tsv", "sentence\tlabel\nfine\t1\nbad\t0\n", "expected the challenge's XML"),
        (Task::Webnlg, "dart.jsonl", dart, "found an object with"),
        (Task::Dart, "e2e.json", "[{\"mr\": \"name[A]\", \"ref\": \"A.\"}]", "found an object with"),
        (Task::E2e, "dart.jsonl", dart, "columns mr and ref"),
        (Task::E2e, "a.xml", "<benchmark></benchmark>", "found XML"),
        (Task::Webnlg, "a.xml", "<benchmark></benchmark>", "without <entry>"),
        (Task::Sst2, "train.txt", LINES, "the task sst2, which is classification"),
        (Task::E2e, "a.txt", "a||b\nc\n", "line 2: found \"c\""),
        (Task::E2e, "a.txt", "a||b\n||c\nd|| \n", "2 problems"),
        (Task::Dart, "a.txt", " \n", "no text for any context"),
    ];
    for (task, name, text, part) in cases {
        let message = load(name, text, Some(task)).unwrap_err();
        assert!(message.contains(part), "{task}, {name}: {message}");
    }
}

#[test]
fn splits_keep_the_texts_of_a_context_together() {
    let lines: String = (0..20).map(|i| format!("c{}||text {i}\n", i / 2)).collect();
    let options = DataOptions { validation_share: 0.3, ..DataOptions::default() };
    let file = |text| DataFile { name: "train.txt", bytes: text };
    let splits = load_generation_splits(file(lines.as_bytes()), None, &options).unwrap();
    assert_eq!((splits.train.len(), splits.validation.len(), splits.validation_is_split), (7, 3, true));
    assert!(splits.train.iter().chain(&splits.validation).all(|example| example.completions.len() == 2));
    let options = DataOptions { max_train_samples: Some(4), max_eval_samples: Some(2), ..options };
    let both =
        load_generation_splits(file(lines.as_bytes()), Some(file(lines.as_bytes())), &options).unwrap();
    assert_eq!((both.train.len(), both.validation.len()), (4, 2));
    assert_eq!(both.warnings, [DataWarning::SharedExamples { n_shared: 4, n_validation: 10 }]);
    let error = load_generation_splits(file(b"a||b\n"), None, &options).unwrap_err();
    assert!(error.to_string().contains("at least two"), "{error}");
    let errors = load_generation_splits(file(b"a"), Some(file(b"b")), &options).unwrap_err();
    assert_eq!(errors.files.len(), 2);
}
