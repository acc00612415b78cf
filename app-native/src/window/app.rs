//! The window itself: draws the studio, and carries between it and the shell.

use dsee_core::protocol::{Event, RunId};
use dsee_ui::{Notice, Studio};
use egui::{Context, ScreenshotCallback, Ui, ViewportCommand};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Errands,
    measure::Measure,
    picture,
    shell::{Shell, Told},
};

/// Longest wait for a run to be saved when the window closes.
const LONGEST_FAREWELL: Duration = Duration::from_secs(20);
/// Frames between the engine's being ready and the picture of it: the layout settles meanwhile.
const FRAMES_BEFORE_PICTURE: u32 = 8;

/// The window.
pub struct DseeWindow {
    studio: Studio,
    shell: Shell,
    farewell: Option<(RunId, Instant)>,
    picture: Option<Picture>,
    measure: Option<Measure>,
    title: String,
    /// Size of the content, in points, to open with it again.
    pub size: Arc<std::sync::Mutex<egui::Vec2>>,
}

/// A picture of the window that was asked for.
struct Picture {
    path: PathBuf,
    /// Frames since the engine is there.
    n_frames: Option<u32>,
    done: Arc<AtomicBool>,
}

impl DseeWindow {
    /// A window over a shell that was started.
    pub fn new(shell: Shell, errands: Errands, size: Arc<std::sync::Mutex<egui::Vec2>>) -> Self {
        let Errands { picture, measure } = errands;
        let picture = picture.map(|path| Picture { path, n_frames: None, done: Arc::default() });
        let studio = Studio::default();
        Self { studio, shell, farewell: None, picture, measure, title: String::new(), size }
    }

    fn listen(&mut self) {
        while let Some(told) = self.shell.next() {
            match told {
                Told::Reply(reply) => {
                    if let (Event::Ready { .. } | Event::Failed(_), Some(picture)) =
                        (&reply.event, &mut self.picture)
                    {
                        picture.n_frames.get_or_insert(0);
                    }
                    self.studio.event(&reply.event, &reply.attachments);
                }
                Told::Notice(notice) => self.studio.notice(notice),
            }
        }
    }

    /// The title tells how far the run is, for those who look at the task bar.
    fn update_title(&mut self, ctx: &Context) {
        let title = self.studio.window_title();
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    /// Closing while a run is under way: it is paused and saved first. Who closes twice does not want to wait.
    fn take_leave(&mut self, ctx: &Context) {
        let is_asked = ctx.input(|input| input.viewport().close_requested());
        match (self.farewell, self.shell.active()) {
            (None, Some(run)) if is_asked => {
                ctx.send_viewport_cmd(ViewportCommand::CancelClose);
                self.shell.pause_and_save(run);
                self.farewell = Some((run, Instant::now()));
            }
            (Some((run, since)), _) if !is_asked => {
                if self.shell.is_kept(run)
                    || self.shell.active().is_none()
                    || since.elapsed() > LONGEST_FAREWELL
                {
                    ctx.send_viewport_cmd(ViewportCommand::Close);
                } else {
                    ctx.request_repaint_after(Duration::from_millis(50));
                }
            }
            _ => {}
        }
    }

    /// Takes note of the frame before this one. Where frames are measured, does what comes next.
    fn watch_frames(&mut self, ctx: &Context, frame: &eframe::Frame) {
        let drawn = frame.info().cpu_usage;
        if let Some(seconds) = drawn {
            self.studio.notice(Notice::Frame { seconds });
        }
        let Some(measure) = &mut self.measure else { return };
        match drawn {
            Some(_) => measure.note_drawn(),
            // That this frame was drawn is known at the next one.
            None => ctx.request_repaint(),
        }
        let mut actions = Vec::new();
        if measure.advance(&mut self.studio, &mut actions) {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        actions.into_iter().for_each(|action| self.shell.carry_out(action));
    }

    fn take_picture(&mut self, ctx: &Context) {
        let Some(Picture { path, n_frames, done }) = &mut self.picture else { return };
        if done.load(Ordering::Acquire) {
            ctx.send_viewport_cmd(ViewportCommand::Close);
            return;
        }
        let Some(n_frames) = n_frames else { return };
        *n_frames += 1;
        if *n_frames == FRAMES_BEFORE_PICTURE {
            let (path, done, waker) = (path.clone(), Arc::clone(done), ctx.clone());
            let save = move |image: Arc<egui::ColorImage>| {
                if let Err(error) = picture::save(&path, &image) {
                    say!("error: {error:#}");
                }
                done.store(true, Ordering::Release);
                waker.request_repaint();
            };
            ctx.send_viewport_cmd(ViewportCommand::Screenshot(ScreenshotCallback::new(save)));
        }
        ctx.request_repaint();
    }
}

impl eframe::App for DseeWindow {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.listen();
        self.update_title(ctx);
        self.take_leave(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        self.watch_frames(&ui.ctx().clone(), frame);
        let dropped = ui.ctx().input(|input| input.raw.dropped_files.clone());
        if !dropped.is_empty() {
            let paths: Vec<PathBuf> = dropped.iter().map(|file| file.path().to_path_buf()).collect();
            self.shell.dropped(&paths);
        }
        if let Ok(mut size) = self.size.lock() {
            *size = ui.ctx().content_rect().size();
        }
        for action in self.studio.show(ui) {
            self.shell.carry_out(action);
        }
        let ctx = ui.ctx().clone();
        self.take_picture(&ctx);
    }

    fn on_exit(&mut self) {
        self.shell.finish();
    }
}
