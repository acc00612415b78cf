//! Proves what happens to GPU memory over a long run and at its ends: no growth over 2,000 steps, tables beyond the
//! binding limit split by rows, buffers that cannot exist refused with their sizes, a lost device reported and never
//! a panic. Needs an adapter; a software adapter is enough, and has the limit of 128 MiB that the splitting needs.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use dsee_core::bench::Clock;
use dsee_core::bench::memory::StepMemory;
use dsee_core::bench::step::{Method, Scene};
use dsee_core::checkpoint::{HostTensor, NamedTensors};
use dsee_core::gpu::{Device, Dim, GpuError, Sizes, StepScalars};
use dsee_core::models::family::Head;
use dsee_core::nn::inputs::BatchInputs;
use dsee_core::nn::parameters::{ArenaPart, Parameters, Trained};
use dsee_core::ops::gather::{RowNumbers, gather_sum, links};
use dsee_core::tape::{Mode, Tape, Tensor};
use dsee_core::train::evaluate::Evaluator;
use dsee_core::train::step::Trainer;
use dsee_tests::tiny_bert::{Run, TinyModel};
use dsee_tests::{assert_close, device};

const N_STEPS: u32 = 2000;
/// Bytes that the process may grow by over these steps: 8 KiB a step. 20 KiB in all were measured.
const GROWTH: u64 = 16 << 20;

/// The tests of this file watch the memory of the process, so they run one after the other.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Steps from `first` on, reading the metrics often enough that none is lost.
async fn train(run: &Run, trainer: &mut Trainer, first: u32, n_steps: u32) -> f32 {
    let mut loss = f32::NAN;
    for step in first..first + n_steps {
        run.step(trainer, step, 1).await.unwrap();
        if step % 100 == 99 {
            loss = trainer.metrics().await.unwrap().last().unwrap().loss;
            assert!(loss.is_finite(), "loss {loss} at step {step}");
        }
    }
    loss
}

/// Resident memory of this process in bytes; only Linux tells.
#[cfg(target_os = "linux")]
fn process_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    const PAGE: u64 = 4096;
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE
}

#[cfg(not(target_os = "linux"))]
fn process_bytes() -> u64 {
    0
}

#[test]
fn two_thousand_steps_take_no_more_memory_than_one() {
    let _alone = alone();
    for (family, model) in TinyModel::families() {
        println!("{family}");
        check_two_thousand_steps(&model.adapt(4, 16));
    }
}

fn check_two_thousand_steps(model: &TinyModel) {
    pollster::block_on(async {
        let device = device();
        let run = model.place(&device, 0.1).await.unwrap();
        let mut trainer = run.trainer().await.unwrap();
        // The driver's own caches fill in the first steps.
        train(&run, &mut trainer, 0, 100).await;
        let (allocated, process) = (device.allocated_bytes(), process_bytes());
        assert!(allocated > 0);
        for hundred in 1..N_STEPS / 100 {
            train(&run, &mut trainer, hundred * 100, 100).await;
            assert_eq!(device.allocated_bytes(), allocated, "after {} steps", (hundred + 1) * 100);
        }
        let grown = process_bytes().saturating_sub(process);
        println!("{allocated} bytes on the device; the process grew by {grown}");
        assert!(grown < GROWTH, "the process grew by {grown} bytes beside the buffers");
    });
}

#[test]
fn what_is_dropped_is_given_back() {
    let _alone = alone();
    pollster::block_on(async {
        let device = device();
        let empty = device.allocated_bytes();
        let run = TinyModel::golden().adapt(4, 16).place(&device, 0.0).await.unwrap();
        let mut trainer = run.trainer().await.unwrap();
        train(&run, &mut trainer, 0, 2).await;
        let training = device.allocated_bytes();
        let mut logits: Option<Vec<f32>> = None;
        for _ in 0..3 {
            let evaluator = Evaluator::new(&device, run.model.as_ref(), &run.inputs).await.unwrap();
            assert!(device.allocated_bytes() > training, "an evaluator has memory of its own");
            let found = evaluator.logits(&run.inputs, &run.batch).await.unwrap();
            assert_eq!(*logits.get_or_insert_with(|| found.clone()), found);
            drop(evaluator);
            assert_eq!(device.allocated_bytes(), training, "after dropping an evaluator");
        }
        train(&run, &mut trainer, 2, 2).await;
        assert_eq!(device.allocated_bytes(), training, "after training on");
        drop((run, trainer));
        assert_eq!(device.allocated_bytes(), empty, "after dropping everything");
    });
}

/// A clock for figures that are no times.
struct NoClock;

impl Clock for NoClock {
    fn wall(&self) -> f64 {
        0.0
    }

    fn cpu(&self) -> Option<f64> {
        None
    }
}

fn step_memory(device: &Device, scene: &Scene, method: Method) -> StepMemory {
    pollster::block_on(StepMemory::measure(device, &NoClock, scene, method)).unwrap()
}

#[test]
fn what_a_decoder_takes_is_within_a_tenth_of_what_was_said_before() {
    let _alone = alone();
    let device = device();
    // [vocabulary, hidden size, layers, heads, positions]: logits in one piece and in several.
    for (sizes, lengths) in [([1000, 128, 4, 4, 256], [128; 8]), ([9000, 192, 3, 6, 512], [256; 8])] {
        let scene = Scene::decoder(sizes, &lengths);
        for method in [Method::Dsee, Method::Lora, Method::Full] {
            let memory = step_memory(&device, &scene, method);
            println!("{sizes:?} {method:?} {}: {memory:?}", memory.ratio());
            assert!((0.9..1.1).contains(&memory.ratio()), "{sizes:?} {method:?}: {memory:?}");
        }
    }
}

#[test]
fn attention_takes_memory_in_proportion_to_the_text() {
    let _alone = alone();
    let device = device();
    let plan_bytes = |length: usize| {
        let scene = Scene::decoder([64, 32, 2, 4, 2048], &[length]);
        step_memory(&device, &scene, Method::Dsee).plan_bytes as f64
    };
    let (short, long) = (plan_bytes(1024), plan_bytes(2048));
    println!("{short} and {long} bytes");
    // What must be kept: queries, keys and values among others, in each of the two layers.
    assert!(short > f64::from(1024 * 4 * 2 * 7 * 32), "{short} bytes for 1,024 tokens");
    // Scores of four heads alone would be 64 MiB for 2,048 tokens in each layer.
    let most = (2.05 * short).min(f64::from(32 << 20));
    assert!(long < most, "{short} bytes for 1,024 tokens, {long} for 2,048");
}

const COLS: usize = 512;

/// A table that exceeds the binding limit by 40 rows, and the first row of its second part. Where the limit is too
/// large to try, a table of one part.
fn large_table(device: &Device) -> (HostTensor, usize) {
    let limit = device.max_slice_len();
    let split = if limit <= 64 << 20 { limit / COLS } else { 1000 };
    let rows = split + 40;
    let data = (0..rows * COLS).map(value).collect();
    (HostTensor { shape: vec![rows, COLS], data }, split)
}

/// Different in neighbouring rows and columns, exact in f32.
fn value(at: usize) -> f32 {
    (at % 8191) as f32 + (at / COLS % 1021) as f32 / 1024.0
}

fn numbers(device: &Device, ids: &[u32]) -> RowNumbers {
    RowNumbers {
        ids: device.upload("ids", ids).unwrap().slice(0, ids.len()),
        links: device.upload("links", &links(ids)).unwrap().slice(0, ids.len() * 2),
        rows: Dim::Fixed(ids.len()),
    }
}

/// Row numbers on both sides of the split, some repeated.
fn ids_around(split: usize) -> Vec<u32> {
    [0, 1, split - 1, split, split + 39, 7, split - 1, split + 39, split].map(|row| row as u32).to_vec()
}

fn expected_parts(device: &Device) -> usize {
    if device.max_slice_len() <= 64 << 20 { 2 } else { 1 }
}

/// Sums of position rows and picked rows of the table, and what `d_out` leaves in the table's gradient.
async fn gather(device: &Device, table: &[Tensor], ids: &[u32], d_out: Option<&[f32]>) -> Vec<f32> {
    let rows = Dim::Fixed(ids.len());
    let zeros = device.create("positions", COLS).unwrap();
    let positions = [Tensor::constant(zeros.slice(0, COLS), 1, COLS)];
    let same = vec![0; ids.len()];
    let mode = if d_out.is_some() { Mode::Training { accumulate: false } } else { Mode::Inference };
    let mut tape = Tape::new(device.kind(), device.max_slice_len(), mode);
    let out = gather_sum(&mut tape, &[(&positions, numbers(device, &same)), (table, numbers(device, ids))]);
    let kept = device.create("out", ids.len() * COLS).unwrap();
    tape.keep(&out, &kept);
    if let Some(d_out) = d_out {
        let gradient = device.upload("d_out", d_out).unwrap();
        tape.hand_gradient(&out, &gradient.slice(0, out.len()));
        tape.backward();
    }
    let plan = device.compile(tape.finish(), Sizes::default()).await.unwrap();
    device.run(&plan, &Sizes::default(), &StepScalars::default()).unwrap();
    device.read(&kept, 0, Sizes::default().of(rows) * COLS).await.unwrap()
}

fn rows_of(table: &[f32], ids: &[u32]) -> Vec<f32> {
    ids.iter().flat_map(|&id| table[id as usize * COLS..][..COLS].to_vec()).collect()
}

#[test]
fn frozen_tables_beyond_the_binding_limit_are_split_by_rows() {
    let _alone = alone();
    pollster::block_on(async {
        let device = device();
        let (table, split) = large_table(&device);
        let ids = ids_around(split);
        let frozen = NamedTensors::from([("table".to_owned(), table)]);
        let parameters = Parameters::new(&device, &frozen, Vec::new()).unwrap();
        let parts = parameters.parts("table");
        assert_eq!(parts.len(), expected_parts(&device));
        assert_eq!(parts.iter().map(Tensor::fixed_rows).sum::<usize>(), split + 40);
        println!(
            "{} rows in {} parts; bindings of {} bytes",
            split + 40,
            parts.len(),
            device.report().max_binding_bytes
        );
        let out = gather(&device, parts, &ids, None).await;
        assert_eq!(out, rows_of(&frozen["table"].data, &ids));
    });
}

#[test]
fn trained_tables_beyond_the_binding_limit_get_gradients_in_both_parts() {
    let _alone = alone();
    pollster::block_on(async {
        let device = device();
        let (table, split) = large_table(&device);
        let ids = ids_around(split);
        let n = table.data.len();
        let expected_rows = rows_of(&table.data, &ids);
        let trained = Trained { name: "table".to_owned(), value: table, decays: true };
        let parameters = Parameters::new(&device, &NamedTensors::new(), vec![trained]).unwrap();
        assert_eq!(parameters.n_trained(), n);
        let parts = parameters.parts("table");
        assert_eq!(parts.len(), expected_parts(&device));
        let d_out: Vec<f32> = (0..ids.len() * COLS).map(|i| (i % 977) as f32 - 400.0).collect();
        assert_eq!(gather(&device, parts, &ids, Some(&d_out)).await, expected_rows);
        let mut expected = vec![0.0; n];
        for (&id, row) in ids.iter().zip(d_out.chunks(COLS)) {
            expected[id as usize * COLS..][..COLS].iter_mut().zip(row).for_each(|(sum, d)| *sum += d);
        }
        let found = parameters.read(ArenaPart::Gradient).await.unwrap();
        assert_close("gradient of the table", &found["table"].data, &expected, 0.0, 0.0);
    });
}

fn too_large(error: &GpuError, needed: u64, available: u64) {
    let expected = matches!(error, GpuError::TooLarge { needed: n, available: a, .. } if (*n, *a) == (needed, available));
    assert!(expected, "{error:?} instead of {needed} bytes needed, {available} available");
    let message = error.to_string();
    assert!(message.contains(&needed.to_string()) && message.contains(&available.to_string()), "{message}");
}

#[test]
fn impossible_buffers_are_refused_with_their_sizes() {
    let _alone = alone();
    let device = device();
    let before = device.allocated_bytes();
    let report = device.report().clone();
    let len = (report.max_buffer_bytes / 4) as usize + 64;
    let error = device.create("everything", len).unwrap_err();
    too_large(&error, (len as u64 * 4).next_multiple_of(256), report.max_buffer_bytes);
    assert!(error.to_string().contains("everything"), "{error}");
    // One row that no kernel can see whole is refused before anything is uploaded.
    let cols = device.max_slice_len() + 64;
    let row = HostTensor { shape: vec![1, cols], data: Vec::new() };
    let table = NamedTensors::from([("wide".to_owned(), row)]);
    let error = Parameters::new(&device, &table, Vec::new()).unwrap_err();
    too_large(&error, cols as u64 * 4, report.max_binding_bytes);
    assert!(error.to_string().contains("one row of wide"), "{error}");
    assert_eq!(device.allocated_bytes(), before);
    // The device is none the worse for it.
    let small = device.upload("small", &[1.0f32, 2.0]).unwrap();
    assert_eq!(pollster::block_on(device.read::<f32>(&small, 0, 2)).unwrap(), [1.0, 2.0]);
}

fn lost<T>(what: &str, result: Result<T, GpuError>) {
    match result {
        Err(GpuError::DeviceLost { .. }) => {}
        Err(error) => panic!("{what}: {error:?} instead of a lost device"),
        Ok(_) => panic!("{what} succeeded on a lost device"),
    }
}

#[test]
fn a_lost_device_is_an_error_of_every_later_call() {
    let _alone = alone();
    pollster::block_on(async {
        let device = device();
        let run = TinyModel::golden().adapt(4, 16).place(&device, 0.1).await.unwrap();
        let mut trainer = run.trainer().await.unwrap();
        let evaluator = Evaluator::new(&device, run.model.as_ref(), &run.inputs).await.unwrap();
        train(&run, &mut trainer, 0, 3).await;
        device.destroy();
        lost("a step", run.step(&mut trainer, 3, 1).await);
        lost("another step", run.step(&mut trainer, 4, 1).await);
        lost("reading metrics", trainer.metrics().await);
        lost("evaluating", evaluator.logits(&run.inputs, &run.batch).await);
        lost("reading parameters", run.parameters.read(ArenaPart::Value).await);
        lost("new memory", device.create("more", 64));
        lost("new evaluator", Evaluator::new(&device, run.model.as_ref(), &run.inputs).await);
        lost("waiting", device.throttle(0).await);
        drop((run, trainer, evaluator));
        assert_eq!(device.allocated_bytes(), 0);
    });
}

#[test]
fn a_device_lost_while_reading_is_an_error_too() {
    let _alone = alone();
    pollster::block_on(async {
        let device = device();
        let memory = device.upload("some", &[1u32; 64]).unwrap();
        device.destroy();
        device.write(&memory, 0, &[2u32; 64]);
        lost("reading", device.read::<u32>(&memory, 0, 64).await);
        // A new device takes over where the old one was lost.
        let next = dsee_tests::device();
        let memory = next.upload("some", &[3u32; 64]).unwrap();
        assert_eq!(next.read::<u32>(&memory, 0, 1).await.unwrap(), [3]);
    });
}

/// Neither training on words nor evaluating them holds the logits of a batch over a real vocabulary.
#[test]
fn logits_of_a_whole_batch_are_never_held() {
    const N_WORDS: usize = 50_257;
    let capacity = Sizes { tokens: 8 * 256, sequences: 8, targets: 8 * 256 };
    let logits = 4 * (capacity.targets * N_WORDS) as u64;
    let encoder = TinyModel::of("tiny_bert_mlm", Head::MaskedLm, "bert_mlm.safetensors");
    let decoder = TinyModel::of("tiny_gpt2", Head::CausalLm, "gpt2_full.safetensors");
    for mut model in [encoder, decoder] {
        // What has a row for each word: the table, and the bias of an encoder's head.
        let n_before = std::mem::replace(&mut model.config.vocab_size, N_WORDS);
        for tensor in model.base.values_mut().filter(|tensor| tensor.shape[0] == n_before) {
            let n_values = tensor.data.len() / n_before * N_WORDS;
            (tensor.shape[0], tensor.data) = (N_WORDS, vec![0.0; n_values]);
        }
        let (device, model) = (Device::reference(), model.train_all());
        let mut run = pollster::block_on(model.place(&device, 0.0)).unwrap();
        run.inputs = BatchInputs::new(&device, capacity, model.config.inputs()).unwrap();
        let before = device.allocated_bytes();
        let trainer = pollster::block_on(run.trainer()).unwrap();
        let evaluator = pollster::block_on(Evaluator::new(&device, run.model.as_ref(), &run.inputs)).unwrap();
        let held = device.allocated_bytes() - before;
        assert!(held > 0 && held < logits / 3, "{held} bytes held, of {logits} for all logits");
        drop((trainer, evaluator));
    }
}
