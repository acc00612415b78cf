//! The window's icon, drawn by arithmetic: a matrix whose diagonal band is the low-rank part, with sparse entries.

use egui::IconData;

/// Pixels along one side.
const SIDE: u32 = 64;
/// Cells along one side.
const CELLS: u32 = 8;
/// Cells of the sparse part.
const SPARSE: [(u32, u32); 6] = [(1, 5), (6, 1), (2, 7), (7, 4), (0, 3), (5, 0)];

const GROUND: [u8; 4] = [27, 38, 59, 255];
const BAND: [u8; 4] = [65, 140, 200, 255];
const ENTRY: [u8; 4] = [240, 160, 60, 255];

/// The icon.
pub fn icon() -> IconData {
    let cell = SIDE / CELLS;
    let pixel = |i: u32| {
        let (x, y) = (i % SIDE, i / SIDE);
        let (row, column) = (y / cell, x / cell);
        // A line of ground between the cells.
        if x % cell == 0 || y % cell == 0 {
            GROUND
        } else if SPARSE.contains(&(row, column)) {
            ENTRY
        } else if row.abs_diff(column) <= 1 {
            BAND
        } else {
            GROUND
        }
    };
    IconData { rgba: (0..SIDE * SIDE).flat_map(pixel).collect(), width: SIDE, height: SIDE }
}
