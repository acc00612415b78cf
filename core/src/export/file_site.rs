//! Updates as files name their modules. Where a file holds several maps as one module (GPT-2's query, key and value), their
//! updates become one: the factors A lie below each other, the factors B each in their own rows and columns, so ranks
//! add up and the product is exactly the updates side by side.

use super::ExportInput;
use super::vertex_cover::{Cover, minimum_vertex_cover};
use crate::models::parameter::{Stored, file_tensors};
use crate::tuning::state::SiteDelta;

/// The updates of one module of a file.
#[derive(Clone, Debug)]
pub(super) struct FileSite<'a> {
    /// Module path in transformers.
    pub module: String,
    /// Rows of all maps together.
    pub d_out: usize,
    /// Columns.
    pub d_in: usize,
    /// Whether the file holds the weight as (`d_in`, `d_out`).
    pub is_transposed: bool,
    /// The updates with their first rows, in the order of rows. Never empty.
    pub parts: Vec<(usize, &'a SiteDelta)>,
}

/// Factors of one module as they go to the file.
pub(super) struct LowRank {
    pub rank: usize,
    /// (rank, d_in).
    pub a: Vec<f32>,
    /// (d_out, rank).
    pub b: Vec<f32>,
}

/// One entry of S.
struct Entry {
    row: u32,
    column: u32,
    value: f32,
}

/// All updates by the modules of files, in the order of the model.
pub(super) fn file_sites<'a>(input: &ExportInput<'a>) -> Vec<FileSite<'a>> {
    let parameters = input.config.family.parameters(input.config, input.head);
    let mut found = Vec::new();
    for tensor in file_tensors(&parameters) {
        let Some(module) = tensor.name.strip_suffix(".weight") else { continue };
        let (mut first_row, mut parts) = (0, Vec::new());
        for part in &tensor.parts {
            if let Some(site) = input.site_of(&part.name) {
                parts.push((first_row, site));
            }
            first_row += part.shape[0];
        }
        let is_transposed = tensor.parts.iter().any(|part| part.stored != Stored::Same);
        if let [(_, site), ..] = parts.as_slice() {
            let (module, d_in) = (module.to_owned(), site.d_in);
            found.push(FileSite { module, d_out: first_row, d_in, is_transposed, parts });
        }
    }
    found
}

/// The modules of files that have a weight.
pub(super) fn file_modules(input: &ExportInput<'_>) -> Vec<String> {
    let parameters = input.config.family.parameters(input.config, input.head);
    let tensors = file_tensors(&parameters);
    tensors.iter().filter_map(|tensor| tensor.name.strip_suffix(".weight")).map(str::to_owned).collect()
}

impl FileSite<'_> {
    /// The rank of all low-rank parts together.
    pub fn rank(&self) -> usize {
        self.parts.iter().map(|(_, site)| site.rank).sum()
    }

    /// What multiplies the product of the factors: alpha / rank, the largest where the parts differ.
    pub fn scale(&self) -> f64 {
        let scales = self.parts.iter().map(|(_, site)| exact_scale(site));
        scales.fold(0.0, |largest: f64, scale| if scale.abs() > largest.abs() { scale } else { largest })
    }

    /// The rank in the file, S included.
    pub fn expanded_rank(&self) -> usize {
        self.rank_with(&self.cover(&self.entries()))
    }

    /// BA + P_Ω(S) as a product of two factors.
    pub fn expand(&self) -> LowRank {
        let entries = self.entries();
        let cover = self.cover(&entries);
        let rank = self.rank_with(&cover);
        let mut factors = LowRank { rank, a: vec![0.0; rank * self.d_in], b: vec![0.0; self.d_out * rank] };
        self.put_low_rank(&mut factors);
        self.put_sparse(&mut factors, &entries, &cover);
        factors
    }

    fn put_low_rank(&self, factors: &mut LowRank) {
        let mut first_rank = 0;
        for (first_row, site) in &self.parts {
            factors.a[first_rank * self.d_in..][..site.a.len()].copy_from_slice(&site.a);
            let ratio = self.ratio(site);
            for (row, values) in site.b.chunks_exact(site.rank.max(1)).enumerate() {
                let at = (first_row + row) * factors.rank + first_rank;
                let into = factors.b[at..].iter_mut();
                into.zip(values).for_each(|(into, value)| *into = value * ratio);
            }
            first_rank += site.rank;
        }
    }

    fn put_sparse(&self, factors: &mut LowRank, entries: &[Entry], cover: &Cover) {
        let LowRank { rank, a, b } = factors;
        let (rank, row_start) = (*rank, self.rank());
        let column_start = row_start + cover.rows.len();
        for (extra, &row) in cover.rows.iter().enumerate() {
            b[row as usize * rank + row_start + extra] = 1.0;
        }
        for (extra, &column) in cover.columns.iter().enumerate() {
            a[(column_start + extra) * self.d_in + column as usize] = 1.0;
        }
        for &Entry { row, column, value } in entries {
            // An entry in a covering row belongs to that row, even if its column covers too.
            if let Ok(extra) = cover.rows.binary_search(&row) {
                a[(row_start + extra) * self.d_in + column as usize] = value;
            } else if let Ok(extra) = cover.columns.binary_search(&column) {
                b[row as usize * rank + column_start + extra] = value;
            }
        }
    }

    /// The entries of S that are not zero, in the rows of the file's module and under its scale.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (first_row, site) in &self.parts {
            let ratio = self.ratio(site);
            let used = site.s_indices.iter().zip(&site.s_values).filter(|(_, value)| **value != 0.0);
            entries.extend(used.map(|(&index, value)| Entry {
                row: *first_row as u32 + index / site.d_in as u32,
                column: index % site.d_in as u32,
                value: value * ratio,
            }));
        }
        entries
    }

    fn cover(&self, entries: &[Entry]) -> Cover {
        minimum_vertex_cover(&entries.iter().map(|entry| (entry.row, entry.column)).collect::<Vec<_>>())
    }

    fn rank_with(&self, cover: &Cover) -> usize {
        file_rank(self.rank() + cover.len())
    }

    /// What brings an update to the scale of its module; 1 wherever all updates have the same.
    fn ratio(&self, site: &SiteDelta) -> f32 {
        let (own, joined) = (exact_scale(site), self.scale());
        if own == joined { 1.0 } else { (own / joined) as f32 }
    }
}

/// peft refuses rank 0; one row of zeros says the same.
pub(super) fn file_rank(rank: usize) -> usize {
    rank.max(1)
}

/// alpha / rank, freed from the rounding of an f32: alpha is a round number in every sensible run.
fn exact_scale(site: &SiteDelta) -> f64 {
    let rank = file_rank(site.rank) as f64;
    let alpha = f64::from(site.scale) * rank;
    let round = alpha.round();
    if (alpha - round).abs() <= 1e-6 * alpha.abs() { round / rank } else { f64::from(site.scale) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::export::fixture::random_site;

    /// Two maps of three in one module.
    fn joined(parts: &[SiteDelta; 2], d_out: usize) -> FileSite<'_> {
        let d_in = parts[0].d_in;
        let parts = vec![(0, &parts[0]), (2 * d_out, &parts[1])];
        FileSite { module: "m".to_owned(), d_out: 3 * d_out, d_in, is_transposed: true, parts }
    }

    /// The updates side by side, (3 · d_out, d_in).
    fn dense(site: &FileSite<'_>) -> Vec<f64> {
        let mut dense = vec![0.0; site.d_out * site.d_in];
        for (first_row, part) in &site.parts {
            dense[first_row * site.d_in..][..part.d_out * part.d_in].copy_from_slice(&part.dense_f64());
        }
        dense
    }

    fn max_relative_difference(site: &FileSite<'_>) -> f64 {
        let (LowRank { rank, a, b }, dense) = (site.expand(), dense(site));
        let largest = dense.iter().fold(1e-30, |largest: f64, value| largest.max(value.abs()));
        let product = |i: usize| -> f64 {
            let (row, column) = (i / site.d_in, i % site.d_in);
            (0..rank).map(|k| f64::from(b[row * rank + k]) * f64::from(a[k * site.d_in + column])).sum()
        };
        let difference = |i: usize| (product(i) * site.scale() - dense[i]).abs();
        (0..dense.len()).map(difference).fold(0.0, f64::max) / largest
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn joined_factors_are_exact(
            d_out in 1usize..8, d_in in 1usize..8, ranks in (0usize..4, 0usize..4), share in 0.0f64..1.0,
            scale in 0.5f32..4.0, seed in 0u64..1000,
        ) {
            let nnz = (share * (d_out * d_in) as f64) as usize;
            let part = |rank, seed| random_site("m", d_out, d_in, rank, nnz, seed);
            let mut parts = [part(ranks.0, seed), part(ranks.1, seed + 1)];
            let equal = joined(&parts, d_out);
            prop_assert!(max_relative_difference(&equal) <= 1e-6);
            prop_assert!(equal.expand().rank <= (ranks.0 + ranks.1 + (2 * d_out).min(d_in)).max(1));
            prop_assert_eq!(equal.expand().rank, equal.expanded_rank());
            parts[1].scale = scale;
            prop_assert!(max_relative_difference(&joined(&parts, d_out)) <= 1e-6);
        }
    }

    #[test]
    fn factors_of_several_maps_are_stacked() {
        let mut parts = [random_site("q", 2, 3, 1, 0, 1), random_site("v", 2, 3, 2, 0, 2)];
        // One column of both maps costs one rank.
        for part in &mut parts {
            (part.s_indices, part.s_values) = (vec![1, 4], vec![0.5, 0.25]);
        }
        let site = joined(&parts, 2);
        let LowRank { rank, a, b } = site.expand();
        assert_eq!((rank, site.rank(), site.d_out), (4, 3, 6));
        assert_eq!(a[..9], [parts[0].a.as_slice(), &parts[1].a].concat());
        assert_eq!(a[9..], [0.0, 1.0, 0.0]);
        assert_eq!(b[..8], [parts[0].b[0], 0.0, 0.0, 0.5, parts[0].b[1], 0.0, 0.0, 0.25]);
        assert_eq!(b[8..16], [0.0; 8], "the map between them has no update");
        assert_eq!(b[16..20], [0.0, parts[1].b[0], parts[1].b[1], 0.5]);
    }
}
