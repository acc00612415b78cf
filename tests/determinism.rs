//! Proves that a run repeats: the same device and seed give the same losses, gradient norms and parameters, bit for
//! bit, dropout included, whatever ran before. Needs an adapter; a software adapter is enough.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::gpu::Device;
use dsee_core::nn::parameters::ArenaPart;
use dsee_tests::device;
use dsee_tests::tiny_bert::TinyModel;

const N_STEPS: u32 = 10;
const DROPOUT: f32 = 0.1;

/// Bits of all losses and norms, and of all trained parameters after them.
type Outcome = (Vec<[u32; 2]>, Vec<(String, Vec<u32>)>);

async fn train(device: &Device, model: &TinyModel, seed: u32) -> Outcome {
    let run = model.place(device, DROPOUT).await.unwrap();
    let mut trainer = run.trainer().await.unwrap();
    for step in 0..N_STEPS {
        run.step(&mut trainer, step, seed).await.unwrap();
    }
    let metrics = trainer.metrics().await.unwrap();
    assert_eq!(metrics.len(), N_STEPS as usize);
    assert!(metrics.iter().all(|metrics| metrics.loss.is_finite() && metrics.grad_norm > 0.0), "{metrics:?}");
    let metrics = metrics.iter().map(|step| [step.loss.to_bits(), step.grad_norm.to_bits()]).collect();
    let values = run.parameters.read(ArenaPart::Value).await.unwrap();
    let bits = |data: Vec<f32>| data.into_iter().map(f32::to_bits).collect();
    (metrics, values.into_iter().map(|(name, tensor)| (name, bits(tensor.data))).collect())
}

fn check(device: &Device, model: &TinyModel) {
    pollster::block_on(async {
        let first = train(device, model, 1).await;
        let other = train(device, model, 2).await;
        let again = train(device, model, 1).await;
        assert_eq!(first.0, again.0, "losses and gradient norms of one seed differ");
        for (one, two) in first.1.iter().zip(&again.1) {
            assert!(one == two, "{} differs after {N_STEPS} steps of one seed", one.0);
        }
        // Were the seed not used, or dropout off, the comparison above would prove little.
        let differing = first.0.iter().zip(&other.0).filter(|(a, b)| a[0] != b[0]).count();
        assert_eq!(differing, N_STEPS as usize, "another seed draws other masks in every step");
    });
}

#[test]
fn full_tuning_repeats_bit_for_bit() {
    check(&device(), &TinyModel::golden().train_all());
}

#[test]
fn low_rank_and_sparse_tuning_repeats_bit_for_bit() {
    check(&device(), &TinyModel::golden().adapt(4, 16));
}

#[test]
fn the_references_repeat_bit_for_bit() {
    check(&Device::reference(), &TinyModel::golden().adapt(4, 16));
}

#[test]
fn two_devices_of_one_adapter_agree_bit_for_bit() {
    let model = TinyModel::golden().adapt(4, 16);
    let outcomes = [device(), device()].map(|device| pollster::block_on(train(&device, &model, 3)));
    assert!(outcomes[0] == outcomes[1], "the same program on the same adapter gave other bits");
}
