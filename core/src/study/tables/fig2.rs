//! Fig 2: how Ω is found, over the number of sparse entries.

use super::build::{above, claim, tasks, variant};
use crate::study::Study;

const SIZES: [&str; 6] = ["8", "16", "32", "64", "128", "256"];

/// BERT-base on SST-2, 8 to 256 entries per matrix. GreBsmo as described and as released (`dsee-method` X2).
pub fn table() -> Study {
    let selectors = [
        ("grebsmo", "GreBsmo"),
        ("grebsmo-ref", "released GreBsmo"),
        ("magnitude", "magnitude"),
        ("random", "random"),
    ];
    let arms = SIZES.into_iter().flat_map(|size| {
        selectors.map(|(omega, name)| {
            let settings = [("method", "dsee"), ("omega", omega), ("nnz", size), ("prune", "none")];
            variant(&format!("{omega}-{size}"), &format!("c = {size}"), name, &settings)
        })
    });
    let against = |own: &str, size: &str| {
        ["magnitude", "random"]
            .map(|other| above(&format!("{own}-{size}"), &format!("{other}-{size}"), &["sst2"], 0.0))
            .concat()
    };
    let best_of = |own: &str| {
        let others = SIZES.into_iter().filter(|size| *size != "16");
        others
            .flat_map(|size| above(&format!("{own}-16"), &format!("{own}-{size}"), &["sst2"], 0.0))
            .collect()
    };
    let claims = [("grebsmo", "GreBsmo"), ("grebsmo-ref", "The released GreBsmo")].into_iter().flat_map(
        |(own, name)| {
            [
                claim(
                    &format!("{name} is above magnitude and random at every number of entries."),
                    "",
                    SIZES.into_iter().flat_map(|size| against(own, size)).collect(),
                ),
                claim(&format!("{name} is best at 16 entries."), "", best_of(own)),
            ]
        },
    );
    Study {
        title: "Selectors of Ω over the number of sparse entries".into(),
        paper_model: "BERT-base".into(),
        axis: Some("nnz".into()),
        tasks: tasks(&["sst2"]),
        claims: claims.collect(),
        arms: arms.collect(),
        ..Study::default()
    }
}
