//! `counts`: the sizes of the paper's models and methods, computed from the model families and the plans of the
//! methods, beside the printed numbers (`dsee-method` 1.4, 3.2 and 3.4). Arithmetic only, nothing is run.

use serde::Serialize;
use std::collections::BTreeMap;

use crate::accounting::{ForwardPlan, ModelShape, forward_cost, n_nonzero_after, n_prunable};
use crate::config::{ModelFacts, RunConfigDraft};
use crate::engine::{facts_of, outline_of, shape_of};
use crate::models::{config::ModelConfig, family::Head};
use crate::nn::outline::Outline;
use crate::nn::site::{Role, Site};
use crate::tuning;

/// The shapes of the paper's models, in the words of their settings files.
const BERT_BASE: &str = r#"{"model_type": "bert", "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 512, "type_vocab_size": 2}"#;
const ROBERTA_LARGE: &str = r#"{"model_type": "roberta", "vocab_size": 50265, "hidden_size": 1024,
    "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096, "max_position_embeddings": 514,
    "type_vocab_size": 1, "pad_token_id": 1}"#;
const GPT2_MEDIUM: &str = r#"{"model_type": "gpt2", "vocab_size": 50257, "n_embd": 1024, "n_layer": 24, "n_head": 16,
    "n_positions": 1024}"#;

/// Tokens of the sequence that FLOPs are counted for.
const N_TOKENS: usize = 128;

/// One number, as computed and as printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CountRow {
    /// The table it belongs to.
    pub table: &'static str,
    /// What is counted.
    pub what: String,
    /// What it comes to here.
    pub computed: String,
    /// The number in the paper, or in the specification made from it.
    pub printed: &'static str,
}

impl CountRow {
    /// Whether both are the same to the last digit.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.computed == self.printed
    }
}

/// A model of the paper, without its weights.
struct PaperModel {
    name: &'static str,
    shape: ModelShape,
    sites: Vec<Site>,
    outline: Outline,
    facts: ModelFacts,
    /// Numbers of every parameter by name.
    parameters: BTreeMap<String, usize>,
    /// Numbers of the task head that the printed totals count.
    n_head: usize,
}

impl PaperModel {
    fn new(name: &'static str, settings: &str, n_head: usize) -> Self {
        let config = ModelConfig::parse(name, settings.as_bytes()).expect("the settings above are right");
        let head = Head::classes(2);
        let parameters = config.family.parameters(&config, head);
        Self {
            name,
            shape: shape_of(&config),
            sites: config.family.sites(&config, head),
            outline: outline_of(&config, head),
            facts: facts_of(&config),
            parameters: parameters.into_iter().map(|p| (p.name, p.shape.iter().product())).collect(),
            n_head,
        }
    }

    fn n_total(&self) -> usize {
        self.shape.n_parameters(&BTreeMap::new()) + self.n_head
    }

    /// Numbers that a method trains and leaves, without the head.
    fn n_trainable(&self, settings: &[(&str, &str)]) -> usize {
        let draft: RunConfigDraft = settings.iter().copied().collect();
        let config = draft.check().expect("the settings below are right").for_model(&self.facts);
        let plan = tuning::plan(&config, &self.outline, true);
        plan.n_trainable(&self.outline, |name| self.parameters.get(name).copied().unwrap_or(0))
    }
}

/// All numbers, table by table.
#[must_use]
pub fn counts() -> Vec<CountRow> {
    let bert = PaperModel::new("BERT-base", BERT_BASE, 0);
    // The shares of RoBERTa are printed for the model with its task head of two classes.
    let roberta = PaperModel::new("RoBERTa-large", ROBERTA_LARGE, 1_051_650);
    let gpt2 = PaperModel::new("GPT-2 medium", GPT2_MEDIUM, 0);
    let mut rows = trainable([&bert, &roberta, &gpt2]);
    rows.extend(baselines([&bert, &roberta, &gpt2]));
    rows.extend(sizes([&bert, &roberta, &gpt2]));
    rows.extend(nonzero([&bert, &roberta, &gpt2]));
    rows.extend(flops(&bert));
    rows
}

fn trainable([bert, roberta, gpt2]: [&PaperModel; 3]) -> Vec<CountRow> {
    let table = "1.4 trainable parameters";
    let cases = [
        (bert, "16", "589824", "590208"),
        (bert, "8", "294912", "295296"),
        (roberta, "8", "786432", "787200"),
        (roberta, "16", "1572864", "1573632"),
        (gpt2, "4", "393216", "393984"),
        (gpt2, "2", "196608", "197376"),
    ];
    let mut rows = Vec::new();
    for (model, rank, low_rank, with_sparse) in cases {
        for (method, printed) in [("lora", low_rank), ("dsee", with_sparse)] {
            let computed = model.n_trainable(&[("method", method), ("rank", rank)]).to_string();
            rows.push(CountRow {
                table,
                what: format!("{}, {method}, rank {rank}", model.name),
                computed,
                printed,
            });
        }
    }
    for (modules, rank) in [("query", "32"), ("query,value", "16"), ("query,key,value,output", "8")] {
        let settings = [("method", "lora"), ("target_modules", modules), ("rank", rank)];
        let computed = bert.n_trainable(&settings).to_string();
        let what = format!("{}, equal budget over {modules}, rank {rank}", bert.name);
        rows.push(CountRow { table, what, computed, printed: "589824" });
    }
    rows
}

/// The methods that DSEE is compared with.
fn baselines([bert, roberta, gpt2]: [&PaperModel; 3]) -> Vec<CountRow> {
    type Case<'a> = (&'a PaperModel, &'a str, &'a [(&'a str, &'a str)], &'static str);
    let cases: [Case<'_>; 8] = [
        (bert, "bitfit", &[], "102912"),
        (gpt2, "ft-top2", &[], "25194496"),
        (roberta, "adapters", &[], "835968"),
        (gpt2, "adapters", &[], "368808"),
        (bert, "p-tuning-v2", &[("prefix_length", "16")], "294912"),
        (bert, "p-tuning-v2", &[("prefix_length", "32")], "589824"),
        (gpt2, "prefix", &[("prefix_length", "5")], "245760"),
        (gpt2, "prefix", &[("prefix_length", "10")], "491520"),
    ];
    let row = |(model, method, settings, printed): Case<'_>| {
        let options: String = settings.iter().map(|(name, value)| format!(", {name} {value}")).collect();
        let computed = model.n_trainable(&[settings, &[("method", method)]].concat()).to_string();
        CountRow {
            table: "5 baselines",
            what: format!("{}, {method}{options}", model.name),
            computed,
            printed,
        }
    };
    cases.map(row).into()
}

fn sizes(models: [&PaperModel; 3]) -> Vec<CountRow> {
    let [bert, roberta, gpt2] = models.map(|model| &model.shape);
    let none = BTreeMap::new();
    let row = |what: &str, n: usize, printed| CountRow {
        table: "1.4 total sizes",
        what: what.to_owned(),
        computed: n.to_string(),
        printed,
    };
    vec![
        row("BERT-base", bert.n_parameters(&none), "109482240"),
        row("BERT-base, embeddings", bert.n_embedding_parameters(), "23837184"),
        row("BERT-base, encoder", 12 * bert.n_layer_parameters(12), "85054464"),
        row("BERT-base, pooler", bert.n_pooler_parameters(), "590592"),
        row("RoBERTa-large, without head", roberta.n_parameters(&none), "354310144"),
        row("GPT-2 medium", gpt2.n_parameters(&none), "354823168"),
        row("GPT-2 medium, one block", gpt2.n_layer_parameters(16), "12596224"),
    ]
}

fn nonzero([bert, roberta, gpt2]: [&PaperModel; 3]) -> Vec<CountRow> {
    let table = "3.2 non-zeros after unstructured pruning";
    let adapted = |site: &&Site| matches!(site.role, Role::Query | Role::Value);
    let is_head = |site: &&Site| site.role == Role::Head;
    let n_adapted: usize = bert.sites.iter().filter(adapted).map(Site::n_entries).sum();
    let n_others: usize =
        bert.sites.iter().filter(|site| !adapted(site) && !is_head(site)).map(Site::n_entries).sum();
    let row = |what: String, computed: String, printed| CountRow { table, what, computed, printed };
    let mut rows = vec![
        row("BERT-base, adapted group".into(), n_adapted.to_string(), "14155776"),
        row("BERT-base, other group".into(), n_others.to_string(), "71368704"),
    ];
    for (ratio, millions, share) in [(0.2, "92.38", "84.4"), (0.3, "83.82", "76.6"), (0.5, "66.72", "60.9")] {
        let n = n_nonzero_after(bert.n_total(), &[(n_adapted, ratio), (n_others, ratio)]);
        let what = |unit: &str| format!("BERT-base, ratio {ratio}, {unit}");
        rows.push(row(what("million"), format!("{:.2}", n as f64 / 1e6), millions));
        rows.push(row(what("%"), format!("{:.1}", 100.0 * n as f64 / bert.n_total() as f64), share));
    }
    for (model, shares) in [(roberta, ["83.0", "74.5", "57.5"]), (gpt2, ["83.0", "74.5", "57.4"])] {
        // RoBERTa's own first head matrix is not pruned (`dsee-method` X8), nor is any other head.
        let n_prunable = n_prunable(&model.sites);
        rows.push(row(format!("{}, prunable", model.name), n_prunable.to_string(), "301989888"));
        for (ratio, share) in [0.2, 0.3, 0.5].into_iter().zip(shares) {
            let n = n_nonzero_after(model.n_total(), &[(n_prunable, ratio)]);
            let computed = format!("{:.1}", 100.0 * n as f64 / model.n_total() as f64);
            rows.push(row(format!("{}, ratio {ratio}, %", model.name), computed, share));
        }
    }
    rows
}

fn flops(bert: &PaperModel) -> Vec<CountRow> {
    let table = "3.4 FLOPs of BERT-base at 128 tokens";
    let cost = |n_heads: usize, feed_forward_kept: f64, unmerged| {
        let layers = 0..bert.shape.num_hidden_layers;
        let heads = layers.map(|layer| (layer, (0..n_heads).collect())).collect();
        forward_cost(
            &bert.shape,
            &ForwardPlan { n_tokens: N_TOKENS, heads: &heads, feed_forward_kept, unmerged },
        )
    };
    let dense = cost(0, 1.0, None);
    let row = |what: String, computed: String, printed| CountRow { table, what, computed, printed };
    let giga = |flops: f64| format!("{:.2}", flops / 2e9);
    let mut rows = vec![
        row("dense, GMAC".into(), giga(dense.flops()), "11.17"),
        row("dense, GMAC, linear layers only".into(), giga(dense.linear_flops()), "10.87"),
    ];
    for (heads, kept, linear, all) in [
        (3, 1.0, "8.33", "8.78"),
        (6, 1.0, "16.67", "17.57"),
        (9, 1.0, "25.00", "26.35"),
        (0, 0.6, "26.67", "25.95"),
        (3, 0.6, "35.00", "34.73"),
        (4, 0.6, "37.78", "37.66"),
    ] {
        let cost = cost(heads, kept, None);
        let removed = format!("{heads} heads and {:.0} % of the feed-forward removed", 100.0 * (1.0 - kept));
        let percent = |share: f64| format!("{:.2}", 100.0 * share);
        rows.push(row(format!("{removed}, saved %, linear"), percent(cost.linear_saving(&dense)), linear));
        rows.push(row(format!("{removed}, saved %, all"), percent(cost.saving(&dense)), all));
    }
    for (rank, printed) in [(16, "0.68"), (8, "0.34")] {
        let branch = -100.0 * cost(0, 1.0, Some((rank, 2))).saving(&dense);
        rows.push(row(
            format!("unmerged branch of rank {rank}, added %, all"),
            format!("{branch:.2}"),
            printed,
        ));
    }
    rows
}

/// The rows as a Markdown document.
#[must_use]
pub fn to_markdown(rows: &[CountRow]) -> String {
    let mut out = "# counts: sizes and costs by arithmetic\n".to_owned();
    let mut table = "";
    for row in rows {
        if row.table != table {
            table = row.table;
            out.push_str(&format!(
                "\n## {table}\n\n| what | computed | printed | |\n| --- | ---: | ---: | --- |\n"
            ));
        }
        let mark = if row.is_exact() { "equal" } else { "differs" };
        out.push_str(&format!("| {} | {} | {} | {mark} |\n", row.what, row.computed, row.printed));
    }
    let n_exact = rows.iter().filter(|row| row.is_exact()).count();
    out.push_str(&format!("\n{n_exact} of {} numbers are equal.\n", rows.len()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printed_number_is_met() {
        let rows = counts();
        let wrong: Vec<&CountRow> = rows.iter().filter(|row| !row.is_exact()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(rows.len() > 45, "{}", rows.len());
    }

    #[test]
    fn the_document_says_what_differs() {
        let mut rows = counts();
        rows.truncate(2);
        rows[1].computed = "1".into();
        let text = to_markdown(&rows);
        assert!(text.contains("| 589824 | 589824 | equal |") && text.contains("| 1 | 590208 | differs |"));
        assert!(text.contains("1 of 2 numbers"), "{text}");
    }
}
