//! The engine with data without labels: what is told of them, runs over them, and texts that are written piece by piece.
//! Needs an adapter; a software adapter is enough.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::builtin::{self, DATA_SEED, validation_meanings};
use dsee_core::engine::service::{Reply, Request};
use dsee_core::protocol::{
    Command, DataCard, DataForm, Event, HeadOrigin, RunEvent, Settings, Variant, Written, WrittenText,
};
use dsee_core::source::ByteSource;
use dsee_tests::asking::{
    MEANINGS, load, load_decoder, predict, rejected, run_events, settings, start, texts,
};
use dsee_tests::script::{play, request, with_files};

fn prompt() -> String {
    validation_meanings(DATA_SEED)[0].context.clone()
}

fn write(id: u64, changes: &[(&str, &str)], variants: &[Variant]) -> Request {
    let changes = changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings: Settings = changes.collect();
    request(Command::Write { request: id, prompt: prompt(), settings, variants: variants.to_vec() })
}

fn written(replies: &[Reply], id: u64) -> &Written {
    let mut answers = replies.iter().filter_map(|reply| match &reply.event {
        Event::Written(written) if written.request == id => Some(written),
        _ => None,
    });
    let written = answers.next().unwrap_or_else(|| panic!("no answer to request {id}: {replies:?}"));
    assert!(answers.next().is_none(), "one answer to each command");
    written
}

/// What was told of a text on the way.
fn pieces(replies: &[Reply], id: u64, variant: Variant) -> Vec<&WrittenText> {
    let of_state = replies.iter().filter_map(|reply| match &reply.event {
        Event::Writing { request, text } if *request == id && text.variant == variant => Some(text),
        _ => None,
    });
    of_state.collect()
}

fn data_card(replies: &[Reply]) -> &DataCard {
    let mut cards = replies.iter().filter_map(|reply| match &reply.event {
        Event::DataLoaded(card) => Some(card),
        _ => None,
    });
    cards.next_back().unwrap_or_else(|| panic!("no data were read: {replies:?}"))
}

fn is_over(reply: &Reply) -> bool {
    matches!(&reply.event, Event::Run { event: RunEvent::Finished(_), .. })
}

#[test]
fn meanings_and_plain_texts_are_shown_without_classes() {
    let replies = play(load_decoder(), |_| Vec::new());
    let heads = replies.iter().find_map(|reply| match &reply.event {
        Event::ModelLoaded(card) => Some((card.head.clone(), card.is_decoder)),
        _ => None,
    });
    assert_eq!(heads, Some((HeadOrigin::Words, true)));
    let card = data_card(&replies);
    assert_eq!(
        (card.form, card.embedded, card.n_train, card.n_validation),
        (DataForm::Generation, true, 64, 32)
    );
    assert!(card.n_texts > 64 && card.class_counts.is_empty() && card.label_names.is_empty());
    assert_eq!(card.held_out[0].text, prompt());
    assert_eq!(card.held_out[0].references, validation_meanings(DATA_SEED)[0].completions);
    assert!(card.preview.iter().all(|row| row.text.contains("name : ") && !row.references.is_empty()));
    assert_eq!(card.lengths.iter().map(|bin| bin.count).sum::<usize>(), card.n_texts);
    // The lengths are those before the cut.
    let longest = card.lengths.last().unwrap().to;
    assert_eq!(longest > 64, card.truncated_share > 0.0 || longest.next_power_of_two() == longest);

    let mut first = load_decoder();
    let changes = [("task_type", "language-modeling")];
    let lines = b"The cafe is cheap.\nThe pub is near the river.\nIt is closed on Monday.\n";
    let command = Command::LoadData { settings: settings(&changes) };
    first.push(with_files(command, &[("lines.txt", lines)]));
    let replies = play(first, |_| Vec::new());
    let card = data_card(&replies);
    assert_eq!((card.form, card.n_train + card.n_validation, card.n_texts), (DataForm::Plain, 3, 0));
    assert!(card.preview[0].references.is_empty() && !card.tokens.is_empty());
}

#[test]
fn a_model_that_cannot_learn_from_data_says_so_as_the_command_line_does() {
    let mut first = load();
    first.push(request(Command::LoadData { settings: settings(&[MEANINGS]) }));
    let replies = play(first, |_| Vec::new());
    assert!(texts(rejected(&replies)).contains("a bert model cannot do this task"), "{replies:?}");
    let mut first = load();
    first.push(write(1, &[], &[]));
    assert!(texts(rejected(&play(first, |_| Vec::new()))).contains("does not write"));
    let mut first = load_decoder();
    first.push(predict(1, &[]));
    assert!(texts(rejected(&play(first, |_| Vec::new()))).contains("have it write a text"));
}

#[test]
fn every_state_writes_piece_by_piece_after_a_run() {
    use Variant::{Base, Pruned, Retuned, Tuned};
    let mut first = load_decoder();
    first.push(write(1, &[("max_new_tokens", "4")], &[]));
    let changes = [MEANINGS, ("prune", "unstructured:0.3"), ("max_steps", "4"), ("learning_rate", "5e-3")];
    first.push(start(&changes));
    let greedy = [("max_new_tokens", "8")];
    let beams = [("max_new_tokens", "5"), ("num_beams", "3")];
    let drawn = [("max_new_tokens", "5"), ("do_sample", "true"), ("temperature", "1.5"), ("seed", "3")];
    let replies = play(first, |reply| {
        let asked = || {
            let twice = [write(4, &drawn, &[Tuned]), write(5, &drawn, &[Tuned])];
            [write(2, &greedy, &[]), write(3, &beams, &[Base, Tuned])].into_iter().chain(twice).collect()
        };
        if is_over(reply) { asked() } else { Vec::new() }
    });
    let finished = run_events(&replies).into_iter().rev().find_map(|event| match event {
        RunEvent::Finished(summary) => Some(summary),
        _ => None,
    });
    assert!(finished.unwrap().metrics["perplexity"].is_finite());
    let variants = |id| written(&replies, id).texts.iter().map(|text| text.variant).collect::<Vec<_>>();
    assert_eq!(variants(1), [Base]);
    assert_eq!(variants(2), [Base, Tuned, Pruned, Retuned]);
    assert_eq!(variants(3), [Base, Tuned]);
    for id in [1, 2, 3] {
        let answer = written(&replies, id);
        assert!(!answer.is_stopped && answer.prompt == prompt());
        for text in &answer.texts {
            let pieces = pieces(&replies, id, text.variant);
            assert_eq!(pieces.last(), Some(&text), "the last piece is the answer");
            assert!(pieces.len() <= 8 && (pieces.len() == 1 || pieces[0].n_tokens < text.n_tokens));
        }
    }
    let tuned = |id| &written(&replies, id).texts[0];
    assert_eq!(tuned(4), tuned(5), "one seed, one text");
}

#[test]
fn what_a_command_leaves_open_is_as_in_the_run() {
    let own = [("max_new_tokens", "5"), ("num_beams", "3"), ("length_penalty", "0.5"), ("seed", "7")];
    let mut first = load_decoder();
    first.push(start(&[&[MEANINGS, ("max_steps", "2")][..], &own].concat()));
    let replies = play(first, |reply| {
        let tuned = [Variant::Tuned];
        let asked = || {
            let greedy = [("num_beams", "1"), ("max_new_tokens", "3")];
            vec![write(1, &[], &tuned), write(2, &own, &tuned), write(3, &greedy, &tuned)]
        };
        if is_over(reply) { asked() } else { Vec::new() }
    });
    assert_eq!(written(&replies, 1).texts, written(&replies, 2).texts);
    assert!(pieces(&replies, 1, Variant::Tuned).len() == 5, "the run's max_new_tokens, not the default");
    assert!(written(&replies, 3).texts[0].n_tokens <= 3, "its length penalty is no mistake of the command");
}

/// The built-in decoder is for meanings. The same files from elsewhere are a decoder as it came.
#[test]
fn a_decoder_without_data_goes_on_with_a_beginning() {
    let files = builtin::embedded(builtin::DECODER_NAME).unwrap().files().files;
    let read = |source: &dyn ByteSource| pollster::block_on(source.read(0..source.len())).unwrap();
    let files: Vec<(String, Vec<u8>)> =
        files.iter().map(|(name, source)| (name.clone(), read(source.as_ref()))).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let text = |load: Request| {
        let replies = play(vec![load, write(1, &[("max_new_tokens", "8")], &[])], |_| Vec::new());
        written(&replies, 1).texts[0].text.clone()
    };
    let load = || Command::LoadModel { name: builtin::DECODER_NAME.to_owned() };
    let embedded = text(request(load()));
    assert_ne!(text(with_files(load(), &files)), embedded);
}

#[test]
fn writing_is_stopped_and_a_run_is_paused_within_a_piece() {
    let mut first = load_decoder();
    first.push(start(&[MEANINGS, ("max_steps", "500")]));
    let replies = play(first, |reply| match &reply.event {
        Event::Run { event: RunEvent::Progress(report), .. } if report.step == 2 => {
            vec![write(7, &[("max_new_tokens", "60")], &[])]
        }
        Event::Writing { text, .. } if text.n_tokens == 2 => vec![request(Command::Pause { run: 1 })],
        Event::Paused { .. } => vec![request(Command::StopWriting { request: 7 })],
        Event::Written(_) => {
            let stop = request(Command::Stop { run: 1, keep: false });
            vec![request(Command::StopWriting { request: 7 }), stop]
        }
        _ => Vec::new(),
    });
    let answer = written(&replies, 7);
    assert!(answer.is_stopped);
    let [text] = answer.texts.as_slice() else { panic!("the second state had not begun: {answer:?}") };
    assert!(text.n_tokens <= 4 && !text.is_complete, "{text:?}");
    assert!(texts(rejected(&replies)).contains("no text to stop"), "it was over the second time");
}

#[test]
fn all_that_is_wrong_with_a_prompt_is_said_at_once() {
    let ask = |changes: &[(&str, &str)]| {
        let mut first = load_decoder();
        first.push(write(1, changes, &[]));
        texts(rejected(&play(first, |_| Vec::new())))
    };
    let wrong = ask(&[("temperature", "0"), ("top_p", "2"), ("do_sample", "true")]);
    assert!(wrong.contains("temperature") && wrong.contains("top_p"), "{wrong}");
    assert!(ask(&[("top_p", "0.5")]).contains("nothing is drawn"));
    assert!(ask(&[("max_new_tokens", "4000")]).contains("positions"));
    assert!(ask(&[("rank", "4")]).contains("no setting of generation"));
    let mut first = load_decoder();
    let settings = Settings::new();
    let prompt = "  ".to_owned();
    first.push(request(Command::Write { request: 1, prompt, settings, variants: Vec::new() }));
    assert!(texts(rejected(&play(first, |_| Vec::new()))).contains("nothing to write about"));
}
