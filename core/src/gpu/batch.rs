//! Commands of one run on their way to the queue, in submissions of bounded length: see [`super::pacing`].

/// Commands on their way to the queue, handed over in submissions of at most `budget` predicted operations.
pub struct Batch<'a> {
    device: &'a wgpu::Device,
    queue: &'a wgpu::Queue,
    budget: f64,
    load: f64,
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
}

impl<'a> Batch<'a> {
    /// Nothing yet.
    pub fn new(device: &'a wgpu::Device, queue: &'a wgpu::Queue, budget: f64) -> Self {
        let encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        Self { device, queue, budget, load: 0.0, encoder, pass: None }
    }

    /// The encoder, outside any pass.
    pub fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        &mut self.encoder
    }

    /// The pass that a dispatch of so many operations goes into; a new submission where the last one is full.
    pub fn pass(&mut self, load: f64) -> &mut wgpu::ComputePass<'static> {
        if self.load > 0.0 && self.load + load > self.budget {
            let next = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            self.pass = None;
            self.queue.submit([std::mem::replace(&mut self.encoder, next).finish()]);
            self.load = 0.0;
        }
        self.load += load;
        let encoder = &mut self.encoder;
        self.pass.get_or_insert_with(|| {
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime()
        })
    }

    /// Hands over the rest.
    pub fn submit(mut self) -> wgpu::SubmissionIndex {
        self.pass = None;
        self.queue.submit([self.encoder.finish()])
    }
}
