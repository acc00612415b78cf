//! The fewest rows and columns that together contain every entry of a sparse matrix: a minimum vertex cover of
//! the graph whose edges are the entries. By König's theorem it is as large as a maximum matching, which
//! Hopcroft and Karp's algorithm finds. One covering row or column costs one rank in a LoRA file.

/// Rows and columns, each ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// Covering rows.
    pub rows: Vec<u32>,
    /// Covering columns.
    pub columns: Vec<u32>,
}

impl Cover {
    /// Number of rows and columns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() + self.columns.len()
    }

    /// Whether nothing had to be covered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A smallest cover of `entries`, given as (row, column).
#[must_use]
pub fn minimum_vertex_cover(entries: &[(u32, u32)]) -> Cover {
    let numbers = |mut list: Vec<u32>| {
        list.sort_unstable();
        list.dedup();
        list
    };
    let rows = numbers(entries.iter().map(|entry| entry.0).collect());
    let columns = numbers(entries.iter().map(|entry| entry.1).collect());
    let mut graph = Graph::new(rows.len(), columns.len());
    for (row, column) in entries {
        // Both lists were made from the entries, so both searches succeed.
        if let (Ok(row), Ok(column)) = (rows.binary_search(row), columns.binary_search(column)) {
            graph.columns_of[row].push(column);
        }
    }
    // König: from the unmatched rows walk unmatched edges to columns and matched edges back to rows. The rows
    // that were not reached and the columns that were form a minimum cover.
    let layers = graph.match_all();
    let mut reached = vec![false; columns.len()];
    for (row, neighbours) in graph.columns_of.iter().enumerate() {
        if layers[row].is_some() {
            neighbours.iter().for_each(|&column| reached[column] = true);
        }
    }
    let pick = |list: Vec<u32>, keep: &dyn Fn(usize) -> bool| {
        list.into_iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, number)| number).collect()
    };
    Cover {
        rows: pick(rows, &|row| layers[row].is_none()),
        columns: pick(columns, &|column| reached[column]),
    }
}

/// Distance of each row from the unmatched rows, where there is a path.
type Layers = Vec<Option<usize>>;

struct Graph {
    columns_of: Vec<Vec<usize>>,
    column_of_row: Vec<Option<usize>>,
    row_of_column: Vec<Option<usize>>,
}

impl Graph {
    fn new(n_rows: usize, n_columns: usize) -> Self {
        Self {
            columns_of: vec![Vec::new(); n_rows],
            column_of_row: vec![None; n_rows],
            row_of_column: vec![None; n_columns],
        }
    }

    /// Finds a maximum matching; the layers returned are those of the last, fruitless search.
    fn match_all(&mut self) -> Layers {
        loop {
            let (layers, found) = self.layers();
            if !found {
                return layers;
            }
            let mut next = vec![0; self.columns_of.len()];
            for row in 0..self.columns_of.len() {
                if self.column_of_row[row].is_none() {
                    self.augment(row, &layers, &mut next);
                }
            }
        }
    }

    /// Breadth-first from all unmatched rows; also tells whether an unmatched column was met.
    fn layers(&self) -> (Layers, bool) {
        let mut layers: Layers = self.column_of_row.iter().map(|c| c.is_none().then_some(0)).collect();
        let mut queue: Vec<usize> = (0..layers.len()).filter(|&row| layers[row].is_some()).collect();
        let mut found = false;
        let mut at = 0;
        while let Some(&row) = queue.get(at) {
            at += 1;
            for &column in &self.columns_of[row] {
                match self.row_of_column[column] {
                    None => found = true,
                    Some(other) if layers[other].is_none() => {
                        layers[other] = layers[row].map(|layer| layer + 1);
                        queue.push(other);
                    }
                    Some(_) => {}
                }
            }
        }
        (layers, found)
    }

    /// Depth-first along rising layers to an unmatched column; flips the path found. `next` is the first edge of
    /// each row that was not tried in this phase. A loop and not a recursion, because paths can be long.
    fn augment(&mut self, root: usize, layers: &Layers, next: &mut [usize]) {
        let mut path = vec![root];
        while let Some(&row) = path.last() {
            let Some(&column) = self.columns_of[row].get(next[row]) else {
                path.pop();
                continue;
            };
            next[row] += 1;
            match self.row_of_column[column] {
                None => {
                    for row in path {
                        let column = self.columns_of[row][next[row] - 1];
                        self.row_of_column[column] = Some(row);
                        self.column_of_row[row] = Some(column);
                    }
                    return;
                }
                Some(other) if layers[other] == layers[row].map(|layer| layer + 1) => path.push(other),
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn covers(cover: &Cover, entries: &[(u32, u32)]) -> bool {
        entries.iter().all(|(row, column)| cover.rows.contains(row) || cover.columns.contains(column))
    }

    /// The smallest cover of a matrix of at most 8 rows, by trying every set of rows.
    fn brute_force(entries: &[(u32, u32)]) -> usize {
        (0u32..256)
            .map(|rows| {
                let mut columns: Vec<u32> =
                    entries.iter().filter(|(row, _)| rows >> row & 1 == 0).map(|entry| entry.1).collect();
                columns.sort_unstable();
                columns.dedup();
                rows.count_ones() as usize + columns.len()
            })
            .min()
            .unwrap_or(0)
    }

    #[test]
    fn minimal_on_small_graphs() {
        let mut random = Random::new(5, 0);
        for case in 0..300 {
            let n = random.below(24) + 1;
            let entries: Vec<(u32, u32)> = (0..n).map(|_| (random.below(8), random.below(9))).collect();
            let cover = minimum_vertex_cover(&entries);
            assert!(covers(&cover, &entries), "case {case}: {entries:?} {cover:?}");
            assert_eq!(cover.len(), brute_force(&entries), "case {case}: {entries:?} {cover:?}");
        }
    }

    #[test]
    fn a_row_a_column_and_nothing() {
        let row: Vec<_> = (0..50).map(|column| (7, column)).collect();
        assert_eq!(minimum_vertex_cover(&row), Cover { rows: vec![7], columns: vec![] });
        let column: Vec<_> = (0..50).map(|row| (row, 3)).collect();
        assert_eq!(minimum_vertex_cover(&column), Cover { rows: vec![], columns: vec![3] });
        assert!(minimum_vertex_cover(&[]).is_empty());
    }

    #[test]
    fn random_positions_need_about_one_rank_each() {
        // 64 uniform positions in 768×768 need 60 on average (`ecosystem` 2.3).
        let mut random = Random::new(1, 1);
        let entries: Vec<_> = (0..64).map(|_| (random.below(768), random.below(768))).collect();
        let cover = minimum_vertex_cover(&entries);
        assert!(covers(&cover, &entries) && (55..=64).contains(&cover.len()), "{}", cover.len());
    }
}
