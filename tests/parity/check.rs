//! What a golden file says, held against what comes out here.

use std::collections::{BTreeMap, BTreeSet};

use dsee_core::gpu::{Device, StepScalars};
use dsee_core::models::DropoutRates;
use dsee_core::models::family::Parts;
use dsee_core::nn::added::prefix_length;
use dsee_core::nn::inputs::BatchInputs;
use dsee_core::nn::parameters::{ArenaPart, Parameters};
use dsee_core::ops::adamw::AdamW;
use dsee_core::train::evaluate::Evaluator;
use dsee_core::train::step::{StepSettings, Trainer, refresh_weights};
use dsee_tests::{assert_close, device};

use crate::case::{Case, Placed};

const GRADIENT: (f32, f32) = (2e-6, 1e-4);

impl Case {
    fn settings(&self) -> StepSettings {
        StepSettings {
            objective: self.objective,
            optimizer: AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: self.weight_decay },
            max_grad_norm: 1.0,
            accumulation: 1,
        }
    }

    pub async fn place(&self, device: &Device) -> Placed {
        let placement = self.placement();
        let parameters = placement.place(device, &self.base, &self.state, &self.plan).await.unwrap();
        let (config, rates) = (&self.config, DropoutRates::default());
        let parts = Parts { config, parameters: &parameters, plan: &self.plan, rates };
        let model = config.family.build(&parts, self.head);
        let mut layout = config.inputs();
        layout.first_position += prefix_length(&self.state.trained) as u32;
        let inputs = BatchInputs::new(device, self.sizes(), layout).unwrap();
        refresh_weights(device, model.as_ref()).await.unwrap();
        (parameters, model, inputs)
    }

    async fn check(&self, device: &Device) {
        let placed = self.place(device).await;
        if self.golden.has("logits") {
            let (_, model, inputs) = &placed;
            let sizes = self.write(inputs);
            let evaluator = Evaluator::of_logits(device, model.as_ref(), inputs).await.unwrap();
            let logits = evaluator.run(sizes).await.unwrap();
            assert_close("logits", &logits, &self.golden.floats("logits"), 1e-5, 1e-5);
        }
        self.check_training(device, &placed).await;
    }

    pub async fn check_training(&self, device: &Device, (parameters, model, inputs): &Placed) {
        let mut trainer =
            Trainer::new(device, model.as_ref(), parameters, inputs, self.settings()).await.unwrap();
        self.check_steps(&mut trainer, parameters, inputs, "").await;
    }

    async fn check_steps(
        &self,
        trainer: &mut Trainer,
        parameters: &Parameters,
        inputs: &BatchInputs,
        prefix: &str,
    ) {
        let golden = &self.golden;
        let rates =
            if golden.has("losses") { golden.floats(&format!("{prefix}learning_rates")) } else { vec![0.0] };
        for (i, &learning_rate) in rates.iter().enumerate() {
            let step = i as i32 + 1;
            let scalars = StepScalars {
                learning_rate,
                bias_correction1: (1.0 - 0.9f64.powi(step)) as f32,
                bias_correction2: (1.0 - 0.999f64.powi(step)) as f32,
                ..StepScalars::default()
            };
            trainer.step(scalars, &mut |_| self.write(inputs)).await.unwrap();
            if i == 0 {
                self.check_gradients(&self.read(parameters, ArenaPart::Gradient).await);
            }
        }
        let metrics = trainer.metrics().await.unwrap();
        let losses: Vec<f32> = metrics.iter().map(|metrics| metrics.loss).collect();
        if golden.has("losses") {
            let norms: Vec<f32> = metrics.iter().map(|metrics| metrics.grad_norm).collect();
            assert_close("losses", &losses, &golden.floats(&format!("{prefix}losses")), 1e-5, 1e-5);
            assert_close("norms", &norms, &golden.floats(&format!("{prefix}grad_norms")), 1e-5, 1e-4);
            self.check_final(&self.read(parameters, ArenaPart::Value).await);
        } else {
            assert_close("loss", &losses, &golden.floats("loss"), 1e-5, 1e-5);
        }
    }

    fn check_gradients(&self, gradients: &BTreeMap<String, Vec<f32>>) {
        let expected: Vec<String> =
            self.golden.names().into_iter().filter(|name| name.starts_with("grad.")).collect();
        for name in expected {
            let ours = &gradients[name.trim_start_matches("grad.")];
            assert_close(&name, ours, &self.golden.floats(&name), GRADIENT.0, GRADIENT.1);
        }
        if self.golden.has("losses") && self.golden.has("logits") {
            let n = self.golden.names().iter().filter(|name| name.starts_with("grad.")).count();
            assert_eq!(gradients.len(), n, "every trained tensor has a golden gradient");
        }
    }

    fn check_final(&self, values: &BTreeMap<String, Vec<f32>>) {
        for (name, ours) in values {
            // Its gradient is zero but for rounding, which AdamW divides by itself.
            if name.ends_with("key.bias") || !self.golden.has(&format!("final.{name}")) {
                continue;
            }
            assert_close(
                &format!("final.{name}"),
                ours,
                &self.golden.floats(&format!("final.{name}")),
                2e-4,
                0.0,
            );
        }
    }

    /// Exactly the parameters that `is_trained` takes have a gradient, which is that of training all of them.
    async fn check_part(&self, device: &Device, is_trained: &impl Fn(&str) -> bool) {
        let (parameters, model, inputs) = self.place(device).await;
        let mut trainer =
            Trainer::new(device, model.as_ref(), &parameters, &inputs, self.settings()).await.unwrap();
        let scalars = StepScalars { bias_correction1: 1.0, bias_correction2: 1.0, ..StepScalars::default() };
        trainer.step(scalars, &mut |_| self.write(&inputs)).await.unwrap();
        let loss = trainer.metrics().await.unwrap()[0].loss;
        assert_close("loss", &[loss], &self.golden.floats("losses")[..1], 1e-5, 1e-5);
        let found = self.read(&parameters, ArenaPart::Gradient).await;
        let names = self.golden.names();
        let all = names.iter().filter_map(|name| name.strip_prefix("grad."));
        let expected: BTreeSet<&str> = all.filter(|name| is_trained(name)).collect();
        assert_eq!(found.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
        for (name, ours) in &found {
            let whole = self.golden.floats(&format!("grad.{name}"));
            assert_close(name, ours, &whole, GRADIENT.0, GRADIENT.1);
        }
    }

    pub fn check_part_everywhere(&self, is_trained: impl Fn(&str) -> bool) {
        pollster::block_on(self.check_part(&Device::reference(), &is_trained));
        pollster::block_on(self.check_part(&device(), &is_trained));
    }

    pub fn check_everywhere(&self) {
        pollster::block_on(self.check(&Device::reference()));
        pollster::block_on(self.check(&device()));
    }
}
