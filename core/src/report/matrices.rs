//! Pictures with one cell per matrix or per head: Ω as dots in matrix outlines, head scores as a heat map.

use super::text::{count, escape, significant};
use super::{LayerHeads, OmegaMatrix};

/// More dots than this in one outline merge into grey; an even sample of them is drawn.
const DRAWN_DOTS: usize = 1500;

/// The layer number in a module path and what follows it, `…layer.0.attention.self.query` → (0, `attention.self.query`).
pub(super) fn split_path(path: &str) -> (Option<usize>, &str) {
    let mut start = 0;
    for part in path.split('.') {
        let end = start + part.len();
        if let (Ok(layer), Some(module)) = (part.parse(), path.get(end + 1..)) {
            return (Some(layer), module);
        }
        start = end + 1;
    }
    (None, path)
}

/// Ω of all matrices: layers as rows, modules as columns.
pub(super) fn omega_grid(matrices: &[OmegaMatrix]) -> String {
    let mut modules: Vec<&str> = Vec::new();
    let mut layers: Vec<Option<usize>> = Vec::new();
    for matrix in matrices {
        let (layer, module) = split_path(&matrix.path);
        if !modules.contains(&module) {
            modules.push(module);
        }
        if !layers.contains(&layer) {
            layers.push(layer);
        }
    }
    // Modules outside the layers come last.
    layers.sort_by_key(|layer| layer.unwrap_or(usize::MAX));
    let mut out = String::from(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Positions of Ω\">\
         <table class=\"omega\"><thead><tr><th scope=\"col\">Layer</th>",
    );
    for module in &modules {
        // A line may end after a dot, so that long paths do not widen their column.
        let name = escape(module).replace('.', ".<wbr/>");
        out.push_str(&format!("<th scope=\"col\" class=\"verbatim\"><code>{name}</code></th>"));
    }
    out.push_str("</tr></thead><tbody>");
    for layer in layers {
        let name = layer.map_or("–".to_owned(), |l| l.to_string());
        out.push_str(&format!("<tr><th scope=\"row\">{name}</th>"));
        for module in &modules {
            let cell = matrices.iter().find(|m| split_path(&m.path) == (layer, *module));
            out.push_str(&format!("<td>{}</td>", cell.map_or(String::new(), omega_outline)));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// One matrix, true to its proportions, with a dot at each position of Ω.
fn omega_outline(matrix: &OmegaMatrix) -> String {
    let longest = matrix.d_out.max(matrix.d_in).max(1) as f64;
    let scale = 100.0 / longest;
    let (width, height) = (matrix.d_in as f64 * scale, matrix.d_out as f64 * scale);
    let n = matrix.indices.len();
    let stride = n.div_ceil(DRAWN_DOTS).max(1);
    let mut dots = String::new();
    for &index in matrix.indices.iter().step_by(stride) {
        let (row, col) = (index as usize / matrix.d_in.max(1), index as usize % matrix.d_in.max(1));
        // A line of no length with round ends is a dot, and all dots are one element.
        dots.push_str(&format!("M{:.1} {:.1}h0", (col as f64 + 0.5) * scale, (row as f64 + 0.5) * scale));
    }
    let size = match n {
        0..=64 => "large",
        65..=400 => "medium",
        _ => "small",
    };
    let mut caption = format!("{} of {} × {}", count(n as u64), matrix.d_out, matrix.d_in);
    if stride > 1 {
        caption.push_str(&format!(", every {stride}th drawn"));
    }
    let overlap = matrix.overlap_with_magnitude.map_or(String::new(), |both| {
        format!("<span class=\"overlap\">{both} also among the largest |W|</span>")
    });
    format!(
        "<div class=\"cell\"><svg class=\"matrix\" viewBox=\"0 0 {width:.1} {height:.1}\" role=\"img\"><title>{}: {caption}</title>\
         <rect width=\"100%\" height=\"100%\" vector-effect=\"non-scaling-stroke\"/>\
         <path class=\"dots {size}\" vector-effect=\"non-scaling-stroke\" d=\"{dots}\"/></svg>\
         <span class=\"note\">{caption}{overlap}</span></div>",
        escape(&matrix.path)
    )
}

/// Head scores: layers as rows, heads as columns, removed heads crossed out.
///
/// The shade is the share of the highest score of the same layer, because heads compete within a layer.
pub(super) fn head_map(layers: &[LayerHeads]) -> String {
    let n_heads = layers.iter().map(|l| l.scores.len()).max().unwrap_or(0);
    let mut out = String::from(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Head scores\">\
         <table class=\"heat\"><thead><tr><th scope=\"col\">Layer</th>",
    );
    (0..n_heads).for_each(|head| out.push_str(&format!("<th scope=\"col\">{head}</th>")));
    out.push_str("</tr></thead><tbody>");
    for layer in layers {
        out.push_str(&format!("<tr><th scope=\"row\">{}</th>", layer.layer));
        let highest = layer.scores.iter().copied().filter(|s| s.is_finite()).fold(0.0, f64::max);
        for head in 0..n_heads {
            let cell = layer.scores.get(head).map_or("<td></td>".to_owned(), |&score| {
                let share =
                    if highest > 0.0 && score.is_finite() { (score / highest).clamp(0.0, 1.0) } else { 0.0 };
                head_cell(score, share, layer.removed.contains(&head))
            });
            out.push_str(&cell);
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn head_cell(score: f64, share: f64, is_removed: bool) -> String {
    // Eleven shades are more than an eye can tell apart, and keep styles out of the elements.
    let shade = (10.0 * share).round();
    let score = significant(score, 3);
    if is_removed {
        format!(
            "<td class=\"shade{shade} removed\"><svg aria-hidden=\"true\" viewBox=\"0 0 10 10\" \
             preserveAspectRatio=\"none\"><path vector-effect=\"non-scaling-stroke\" d=\"M0 0L10 10M10 0L0 10\"/>\
             </svg><span>{score}<span class=\"hidden\">, removed</span></span></td>"
        )
    } else {
        format!("<td class=\"shade{shade}\"><span>{score}</span></td>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_at_their_layer_number() {
        let path = "bert.encoder.layer.11.attention.self.query";
        assert_eq!(split_path(path), (Some(11), "attention.self.query"));
        assert_eq!(split_path("h.3.attn.c_attn"), (Some(3), "attn.c_attn"));
        assert_eq!(split_path("bert.pooler.dense"), (None, "bert.pooler.dense"));
        assert_eq!(split_path("layer.4"), (None, "layer.4"));
    }

    #[test]
    fn dots_stand_where_omega_is() {
        let matrix = OmegaMatrix {
            path: "x".into(),
            d_out: 10,
            d_in: 20,
            indices: vec![0, 25],
            ..OmegaMatrix::default()
        };
        let svg = omega_outline(&matrix);
        // The longer side is 100 units: entry (0, 0) and entry (1, 5) in cells of 5 × 5.
        assert!(
            svg.contains("d=\"M2.5 2.5h0M27.5 7.5h0\"") && svg.contains("viewBox=\"0 0 100.0 50.0\""),
            "{svg}"
        );
        assert!(omega_outline(&OmegaMatrix::default()).contains("0 of 0 × 0"));
    }

    #[test]
    fn many_dots_are_sampled_and_the_caption_says_so() {
        let matrix =
            OmegaMatrix { d_out: 100, d_in: 100, indices: (0..6000).collect(), ..OmegaMatrix::default() };
        let svg = omega_outline(&matrix);
        assert_eq!(svg.matches("h0").count(), 1500);
        assert!(svg.contains("6,000 of 100 × 100, every 4th drawn"));
    }

    #[test]
    fn heat_map_crosses_removed_heads_only() {
        let layer = LayerHeads { layer: 0, scores: vec![1.0, f64::NAN, 4.0], removed: vec![0] };
        let html = head_map(&[layer]);
        assert_eq!(html.matches("<path").count(), 1);
        assert!(html.contains("shade3 removed") && html.contains("shade10") && html.contains(">NaN<"));
        assert!(head_map(&[]).contains("<tbody></tbody>"));
    }
}
