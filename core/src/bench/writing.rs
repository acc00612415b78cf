//! Writing one token behind a text: with keys and values remembered, and with the whole text computed again.

use super::step::{Method, Scene, place};
use crate::generate::{Continuation, Decoder, Step};
use crate::gpu::{Device, GpuError};
use crate::nn::inputs::BatchInputs;
use crate::train::evaluate::Evaluator;
use crate::train::write::{CachedDecoder, Room, WriteError};

/// Tokens before the one that is written.
pub const N_TOKENS: usize = 256;
/// Tokens written before the text begins anew.
const MAX_NEW_TOKENS: usize = 512;

/// A decoder of six layers of 384 with 8,000 words, and a text of [`N_TOKENS`].
#[must_use]
pub fn scene() -> Scene {
    Scene::decoder([8000, 384, 6, 6, N_TOKENS + MAX_NEW_TOKENS], &[N_TOKENS]).asking_for_the_last()
}

/// A decoder that is about to write.
#[derive(Debug)]
pub enum WritingJob {
    /// Computes the newest token alone. Its text grows with every token, which costs it a little more each time.
    Cached {
        /// The recorded step.
        decoder: CachedDecoder,
        /// The text it begins with.
        prompt: Vec<u32>,
        /// Tokens written behind it.
        n_written: usize,
    },
    /// Computes all tokens of a text of the same length again.
    Whole {
        /// Memory for the text.
        inputs: BatchInputs,
        /// The recorded forward pass.
        evaluator: Evaluator,
        /// The text.
        scene: Box<Scene>,
    },
}

impl WritingJob {
    /// Uploads the decoder, and has it read the text.
    ///
    /// # Errors
    /// Memory errors of the device, or a kernel the driver refuses.
    pub async fn cached(device: &Device, scene: &Scene) -> Result<Self, GpuError> {
        let placed = place(device, scene, Method::Lora).await?;
        let prompt = scene.tokens().to_vec();
        let room = Room { n_prompt: prompt.len(), num_beams: 1, max_new_tokens: MAX_NEW_TOKENS };
        let decoder = CachedDecoder::new(device, placed.model.as_ref(), room).await.map_err(of_device)?;
        let mut job = Self::Cached { decoder, prompt, n_written: MAX_NEW_TOKENS };
        job.run().await?;
        Ok(job)
    }

    /// Uploads the decoder.
    ///
    /// # Errors
    /// Memory errors of the device, or a kernel the driver refuses.
    pub async fn whole(device: &Device, scene: &Scene) -> Result<Self, GpuError> {
        let placed = place(device, scene, Method::Lora).await?;
        let evaluator = Evaluator::of_logits(device, placed.model.as_ref(), &placed.inputs).await?;
        Ok(Self::Whole { inputs: placed.inputs, evaluator, scene: Box::new(scene.clone()) })
    }

    /// The logits of one more token, read back as a search needs them.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn run(&mut self) -> Result<(), GpuError> {
        match self {
            Self::Whole { inputs, evaluator, scene } => {
                evaluator.run(scene.write(inputs)).await?;
            }
            Self::Cached { decoder, prompt, n_written } => {
                if *n_written == MAX_NEW_TOKENS {
                    decoder.forget();
                    (decoder.logits(&step(None, prompt)).await).map_err(of_device)?;
                    *n_written = 0;
                }
                (decoder.logits(&step(Some(0), &[7])).await).map_err(of_device)?;
                *n_written += 1;
            }
        }
        Ok(())
    }
}

fn step(parent: Option<usize>, tokens: &[u32]) -> Step {
    Step { sequences: vec![Continuation { parent, tokens: tokens.to_vec() }] }
}

fn of_device(error: WriteError) -> GpuError {
    match error {
        WriteError::Gpu(error) => error,
        error => unreachable!("the bench's decoder writes, and has room: {error}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_text_that_is_full_begins_anew() {
        let device = Device::reference();
        let scene = Scene::decoder([16, 8, 1, 2, 600], &[5]).asking_for_the_last();
        pollster::block_on(async {
            let mut job = WritingJob::cached(&device, &scene).await.unwrap();
            for _ in 0..MAX_NEW_TOKENS {
                job.run().await.unwrap();
            }
            let WritingJob::Cached { n_written, .. } = &job else { unreachable!("it was made so") };
            assert_eq!(*n_written, 1);
            WritingJob::whole(&device, &scene).await.unwrap().run().await.unwrap();
        });
    }
}
