//! One test body for every op: gradients against finite differences, GPU against reference.

use crate::gpu::recording::StepScalar;
use crate::gpu::{Device, Dim, Recording, Resident, Sizes, StepScalars};
use crate::random::Random;
use crate::tape::{Mode, Tape, Tensor};

/// An input of an op under test.
pub struct Input {
    pub rows: Dim,
    pub cols: usize,
    pub data: Vec<f32>,
    pub trained: bool,
}

/// Random normal data that a gradient is wanted for.
pub fn input(rows: Dim, cols: usize, sizes: &Sizes, seed: u64) -> Input {
    let mut random = Random::new(seed, 99);
    let data = (0..sizes.of(rows) * cols).map(|_| random.normal() as f32).collect();
    Input { rows, cols, data, trained: true }
}

/// The same without a gradient.
pub fn frozen(rows: Dim, cols: usize, sizes: &Sizes, seed: u64) -> Input {
    Input { trained: false, ..input(rows, cols, sizes, seed) }
}

/// What a run of an op gives: its output, and the gradient of every trained input with respect to the sum of
/// output · weights.
pub struct Outcome {
    pub output: Vec<f32>,
    pub gradients: Vec<Vec<f32>>,
    weights: Vec<f32>,
}

/// Sum of output · weights, with fixed pseudo-random weights: a scalar whose gradient reaches every output.
fn probe(len: usize) -> Vec<f32> {
    let mut random = Random::new(5, 5);
    (0..len).map(|_| random.normal() as f32).collect()
}

/// Runs `op` forward and backward on `device`. An output that no gradient flows through is taken for a loss, which starts
/// its gradients itself.
pub fn run(
    device: &Device,
    sizes: &Sizes,
    inputs: &[Input],
    op: &dyn Fn(&mut Tape, &Device, &[Tensor]) -> Tensor,
) -> Outcome {
    pollster::block_on(async {
        let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Training { accumulate: false });
        let memory: Vec<(Resident, Resident)> = inputs
            .iter()
            .map(|x| (device.upload("x", &x.data).unwrap(), device.create("dx", x.data.len()).unwrap()))
            .collect();
        // Inputs whose rows follow the batch take part as activations: copied in, their gradient copied out.
        let tensors: Vec<Tensor> = inputs
            .iter()
            .zip(&memory)
            .map(|(x, (value, gradient))| {
                let len = sizes.of(x.rows) * x.cols;
                let mut tensor =
                    Tensor::parameter(value.slice(0, len), gradient.slice(0, len), sizes.of(x.rows), x.cols);
                tensor.rows = x.rows;
                tensor.requires_grad = x.trained;
                tensor
            })
            .collect();
        let y = op(&mut tape, device, &tensors);
        let len = sizes.of(y.rows) * y.cols;
        let (out, dy) = (device.create("y", len).unwrap(), device.upload("dy", &probe(len)).unwrap());
        crate::ops::add::add_in_place(&mut tape, &y.slice, &out.slice(0, len), y.len(), 1.0);
        if y.requires_grad {
            let target = tape.grad_target(&y).unwrap();
            tape.clear(&target.slice);
            crate::ops::add::add_in_place(&mut tape, &dy.slice(0, len), &target.slice, y.len(), 1.0);
        }
        tape.backward();
        replay(device, tape.finish(), sizes).await;
        let mut gradients = Vec::new();
        for (x, (_, gradient)) in inputs.iter().zip(&memory).filter(|(x, _)| x.trained) {
            gradients.push(device.read(gradient, 0, x.data.len()).await.unwrap());
        }
        let weights = if y.requires_grad { probe(len) } else { vec![1.0; len] };
        Outcome { output: device.read(&out, 0, len).await.unwrap(), gradients, weights }
    })
}

/// The scalars every op test runs with.
pub fn scalars() -> StepScalars {
    let _ = StepScalar::DropoutSeed;
    StepScalars {
        dropout_seed: 77,
        learning_rate: 0.01,
        bias_correction1: 0.1,
        bias_correction2: 0.001,
        ring_slot: 1,
    }
}

/// Compiles with room to spare and runs once.
pub async fn replay(device: &Device, recording: Recording, sizes: &Sizes) {
    let capacity =
        Sizes { tokens: sizes.tokens + 3, sequences: sizes.sequences + 1, targets: sizes.targets + 1 };
    let plan = device.compile(recording, capacity).await.unwrap();
    device.run(&plan, sizes, &scalars()).unwrap();
    device.throttle(0).await.unwrap();
}

/// Fails with the first bad index, both values and the largest difference.
pub fn assert_close(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let scale = expected.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
    let worst = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * scale,
            "{what}[{i}]: {a} but expected {b} (largest difference {worst}, allowed {})",
            tolerance * scale
        );
    }
}

/// Checks the reference's gradients by central differences, then the GPU against the reference.
pub fn check_op(sizes: &Sizes, inputs: Vec<Input>, op: impl Fn(&mut Tape, &Device, &[Tensor]) -> Tensor) {
    let reference = Device::reference();
    let expected = run(&reference, sizes, &inputs, &op);
    check_differences(&reference, sizes, &inputs, &op, &expected);
    check_gpu(sizes, &inputs, &op, &expected);
}

/// GPU = reference only, for sizes at which finite differences would take too long.
pub fn check_op_gpu(sizes: &Sizes, inputs: Vec<Input>, op: impl Fn(&mut Tape, &Device, &[Tensor]) -> Tensor) {
    let expected = run(&Device::reference(), sizes, &inputs, &op);
    check_gpu(sizes, &inputs, &op, &expected);
}

fn check_gpu(
    sizes: &Sizes,
    inputs: &[Input],
    op: &dyn Fn(&mut Tape, &Device, &[Tensor]) -> Tensor,
    expected: &Outcome,
) {
    let device = pollster::block_on(Device::open()).unwrap_or_else(|error| panic!("{error}"));
    let got = run(&device, sizes, inputs, op);
    assert_close("output", &got.output, &expected.output, 2e-5);
    for (i, (got, expected)) in got.gradients.iter().zip(&expected.gradients).enumerate() {
        assert_close(&format!("gradient {i}"), got, expected, 5e-5);
    }
}

fn check_differences(
    device: &Device,
    sizes: &Sizes,
    inputs: &[Input],
    op: &dyn Fn(&mut Tape, &Device, &[Tensor]) -> Tensor,
    outcome: &Outcome,
) {
    const STEP: f32 = 1e-2;
    let mut gradients = outcome.gradients.iter();
    for which in (0..inputs.len()).filter(|&i| inputs[i].trained) {
        let gradient = gradients.next().unwrap();
        let n = inputs[which].data.len();
        let numeric: Vec<f32> = sample(n)
            .map(|i| {
                let value = |offset: f32| {
                    let moved: Vec<Input> = inputs
                        .iter()
                        .enumerate()
                        .map(|(k, x)| {
                            let mut data = x.data.clone();
                            if k == which {
                                data[i] += offset;
                            }
                            Input { data, ..*x }
                        })
                        .collect();
                    let Outcome { output, weights, .. } = run(device, sizes, &moved, op);
                    output.iter().zip(&weights).map(|(y, w)| f64::from(*y) * f64::from(*w)).sum::<f64>()
                };
                ((value(STEP) - value(-STEP)) / (2.0 * f64::from(STEP))) as f32
            })
            .collect();
        let picked: Vec<f32> = sample(n).map(|i| gradient[i]).collect();
        assert_close(&format!("finite difference of input {which}"), &picked, &numeric, 5e-3);
    }
}

/// At most 24 places spread over n.
fn sample(n: usize) -> impl Iterator<Item = usize> {
    let step = n.div_ceil(24).max(1);
    (0..n).step_by(step)
}

/// Runs a loss op on the reference and on the GPU, checks differences and agreement, and gives loss and gradient.
pub fn check_loss(
    sizes: &Sizes,
    logits: Input,
    op: impl Fn(&mut Tape, &Device, &Tensor, &crate::gpu::Slice),
) -> (f32, Vec<f32>) {
    let run = |device: &Device, data: &[f32]| {
        pollster::block_on(async {
            let mut tape =
                Tape::new(device.kind(), device.max_slice_len(), Mode::Training { accumulate: false });
            let value = device.upload("logits", data).unwrap();
            let (gradient, loss) =
                (device.create("d_logits", data.len()).unwrap(), device.create("loss", 1).unwrap());
            let mut x = Tensor::parameter(
                value.slice(0, data.len()),
                gradient.slice(0, data.len()),
                sizes.of(logits.rows),
                logits.cols,
            );
            x.rows = logits.rows;
            op(&mut tape, device, &x, &loss.slice(0, 1));
            replay(device, tape.finish(), sizes).await;
            let loss: Vec<f32> = device.read(&loss, 0, 1).await.unwrap();
            (loss[0], device.read::<f32>(&gradient, 0, data.len()).await.unwrap())
        })
    };
    let reference = Device::reference();
    let (loss, gradient) = run(&reference, &logits.data);
    let numeric: Vec<f32> = (0..logits.data.len())
        .map(|i| {
            let at = |offset: f32| {
                let mut data = logits.data.clone();
                data[i] += offset;
                f64::from(run(&reference, &data).0)
            };
            ((at(1e-2) - at(-1e-2)) / 2e-2) as f32
        })
        .collect();
    assert_close("finite difference", &gradient, &numeric, 5e-3);
    let device = pollster::block_on(Device::open()).unwrap_or_else(|error| panic!("{error}"));
    let (gpu_loss, gpu_gradient) = run(&device, &logits.data);
    assert_close("loss", &[gpu_loss], &[loss], 1e-5);
    assert_close("gradient", &gpu_gradient, &gradient, 1e-5);
    (loss, gradient)
}
