//! What the tests of the screens share: example cards, a harness around one screen, pictures when asked for.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "every test file uses another part; tests fail by panicking"
)]

use dsee_core::{
    gpu::{AdapterKind, AdapterReport},
    nn::site::Role,
    protocol::{DataCard, HeadOrigin, LengthBin, ModelCard, PreviewRow, SiteCard},
};
use dsee_ui::{Action, AppState, FileRef};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

/// A screen under test, with its state and what it asked for.
pub struct Stage<S> {
    pub screen: S,
    pub state: AppState,
    pub actions: Vec<Action>,
}

pub type Draw<S> = fn(&mut S, &mut egui::Ui, &mut AppState, &mut Vec<Action>);

/// A harness of this size around a screen.
pub fn stage<S: 'static>(
    screen: S,
    state: AppState,
    draw: Draw<S>,
    size: [f32; 2],
    dark: bool,
) -> Harness<'static, Stage<S>> {
    let theme = if dark { egui::Theme::Dark } else { egui::Theme::Light };
    let stage = Stage { screen, state, actions: Vec::new() };
    Harness::builder()
        .with_size(size)
        .with_theme(theme)
        .with_max_steps(40)
        .with_context_setup(move |ctx| {
            dsee_ui::theme::install(ctx);
            ctx.set_theme(theme);
        })
        .build_ui_state(
            move |ui: &mut egui::Ui, stage: &mut Stage<S>| {
                egui::CentralPanel::default().frame(egui::Frame::new().fill(ui.visuals().panel_fill)).show(
                    ui,
                    |ui| {
                        let before = stage.actions.len();
                        draw(&mut stage.screen, ui, &mut stage.state, &mut stage.actions);
                        // As the window does with all that goes out.
                        stage.actions[before..].iter().for_each(|action| stage.state.sources.note(action));
                    },
                );
            },
            stage,
        )
}

/// Every text in the window that contains `part`.
pub fn sees<S>(harness: &Harness<'_, Stage<S>>, part: &str) -> bool {
    let in_text = |text: Option<String>| text.is_some_and(|text| text.contains(part));
    harness.root().children_recursive().any(|node| {
        let node = node.accesskit_node();
        in_text(node.label()) || in_text(node.value())
    })
}

/// Presses the button with this name.
pub fn press<S>(harness: &mut Harness<'_, Stage<S>>, name: &str) {
    harness.get_by_role_and_label(egui::Role::Button, name).click_accesskit();
    harness.run();
}

/// Writes pictures of a screen, dark and light, wide and narrow, where `PICTURES` names a folder.
pub fn shoot<S: 'static>(name: &str, make: impl Fn() -> (S, AppState), draw: Draw<S>) {
    let Ok(folder) = std::env::var("PICTURES") else { return };
    for (width, size) in [("wide", [1280.0, 720.0]), ("tall", [1280.0, 1500.0]), ("narrow", [390.0, 800.0])] {
        for (theme, dark) in [("dark", true), ("light", false)] {
            let (screen, state) = make();
            let mut harness = stage(screen, state, draw, size, dark);
            harness.run();
            harness.render().unwrap().save(format!("{folder}/{name}-{width}-{theme}.png")).unwrap();
        }
    }
}

pub fn adapter() -> AdapterReport {
    AdapterReport {
        name: "llvmpipe".into(),
        driver: "Mesa".into(),
        backend: "vulkan".into(),
        kind: AdapterKind::Software,
        max_buffer_bytes: 2 << 30,
        max_binding_bytes: 128 << 20,
        max_workgroup_invocations: 256,
        features: vec![],
    }
}

/// The state with these cards, and an adapter where there is a model.
pub fn app_state(model: Option<ModelCard>, data: Option<DataCard>) -> AppState {
    let mut state = AppState::default();
    state.adapter = model.is_some().then(adapter);
    (state.model, state.data) = (model, data);
    state
}

pub fn model() -> ModelCard {
    let roles = [Role::Query, Role::Key, Role::Value, Role::AttentionOutput];
    let site = |layer: usize, role: Role| SiteCard {
        path: format!("bert.encoder.layer.{layer}.attention.self.{role}"),
        layer: Some(layer),
        role,
        d_out: 384,
        d_in: 384,
    };
    ModelCard {
        name: "all-MiniLM-L6-v2".into(),
        embedded: false,
        family: "bert".into(),
        vocab_size: 30_522,
        hidden_size: 384,
        intermediate_size: 1536,
        num_hidden_layers: 6,
        num_attention_heads: 12,
        max_position_embeddings: 512,
        n_parameters: 22_713_216,
        n_biases: 25_728,
        n_top: 3_696_768,
        is_decoder: false,
        weight_bytes: 90_868_376,
        head: HeadOrigin::Fresh,
        notes: vec!["The file also holds a masked-word head, which is not used.".into()],
        sites: (0..6).flat_map(|layer| roles.map(|role| site(layer, role))).collect(),
    }
}

pub fn data() -> DataCard {
    let row = |text: &str, label: &str| PreviewRow {
        text: text.into(),
        label: label.into(),
        ..PreviewRow::default()
    };
    DataCard {
        name: "reviews.csv".into(),
        embedded: false,
        validation_name: None,
        n_train: 7200,
        n_validation: 800,
        text_column: "review".into(),
        text_pair_column: None,
        label_column: "sentiment".into(),
        columns: vec!["id".into(), "review".into(), "sentiment".into()],
        label_names: vec!["negative".into(), "positive".into(), "Positive".into()],
        class_counts: vec![3411, 3702, 87],
        preview: vec![
            row("a gorgeous, witty, seductive movie.", "positive"),
            row("it is a long and tedious film that never finds its voice, and the ending makes it worse", "negative"),
            row("the performances are uniformly good", "Positive"),
        ],
        tokens: "[CLS] a gorgeous , wit ##ty , seductive movie . [SEP]".split(' ').map(str::to_owned).collect(),
        lengths: (0..16)
            .map(|i| LengthBin { from: i * 10 + 1, to: i * 10 + 10, count: [40, 300, 900, 1500, 1700, 1200, 700, 400, 200, 120, 60, 40, 20, 10, 7, 3][i] })
            .collect(),
        mean_length: 46.3,
        truncated_share: 0.0056,
        warnings: vec!["The labels \"positive\" and \"Positive\" differ only in their spelling; they count as two classes. Make them one in the file.".into()],
        ..DataCard::default()
    }
}

pub fn file(id: u64, name: &str) -> FileRef {
    FileRef { id, name: name.into(), n_bytes: 1000, text: None }
}
