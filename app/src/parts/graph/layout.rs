//! Where the steps of a plan stand in its picture: columns by depth, and only the lines that say something new.

/// A picture of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Where each node stands, in the graph's order.
    pub places: Vec<Place>,
    /// Lines from a node to one that needs it, without those that follow from others.
    pub edges: Vec<(usize, usize)>,
    /// How many columns there are.
    pub columns: usize,
    /// How many half rows the tallest column takes.
    pub half_rows: usize,
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its column, from 0: the longest way to it.
    pub column: usize,
    /// Its first half row, from 0. A node is two half rows high, so that a short column stands in the middle.
    pub half_row: usize,
}

/// Lays out nodes of which each names those that it needs; these stand before it.
pub fn lay_out(needs: &[Vec<usize>]) -> Layout {
    let mut before: Vec<Vec<bool>> = Vec::with_capacity(needs.len());
    let mut column: Vec<usize> = Vec::with_capacity(needs.len());
    let mut edges = Vec::new();
    for (node, needed) in needs.iter().enumerate() {
        let needed: Vec<usize> = needed.iter().copied().filter(|need| *need < node).collect();
        let mut mine = vec![false; needs.len()];
        for &need in &needed {
            for (known, far) in mine.iter_mut().zip(&before[need]) {
                *known |= far;
            }
        }
        edges.extend(
            needed
                .iter()
                .filter(|need| !mine[**need])
                .map(|need| (*need, node)),
        );
        column.push(
            needed
                .iter()
                .map(|need| column[*need] + 1)
                .max()
                .unwrap_or(0),
        );
        for &need in &needed {
            mine[need] = true;
        }
        before.push(mine);
    }
    let columns = column.iter().max().map_or(0, |last| last + 1);
    let mut heights = vec![0; columns];
    for &c in &column {
        heights[c] += 1;
    }
    let tallest = heights.iter().max().copied().unwrap_or(0);
    let mut next: Vec<usize> = heights.iter().map(|height| tallest - height).collect();
    let places = column
        .into_iter()
        .map(|column| {
            let half_row = next[column];
            next[column] += 2;
            Place { column, half_row }
        })
        .collect();
    Layout {
        places,
        edges,
        columns,
        half_rows: tallest * 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(layout: &Layout) -> Vec<(usize, usize)> {
        layout
            .places
            .iter()
            .map(|place| (place.column, place.half_row))
            .collect()
    }

    #[test]
    fn steps_that_run_side_by_side_share_a_column() {
        // check out; two builds; their pushes; deploy one after the other
        let layout = lay_out(&[
            vec![],
            vec![0],
            vec![1],
            vec![0],
            vec![3],
            vec![2, 4],
            vec![2, 4, 5],
        ]);
        assert_eq!(
            places(&layout),
            [(0, 1), (1, 0), (2, 0), (1, 2), (2, 2), (3, 1), (4, 1)]
        );
        assert_eq!((layout.columns, layout.half_rows), (5, 4));
    }

    #[test]
    fn a_line_that_follows_from_others_is_left_out() {
        let layout = lay_out(&[vec![], vec![0], vec![0, 1], vec![0, 1, 2]]);
        assert_eq!(layout.edges, [(0, 1), (1, 2), (2, 3)]);
    }

    #[test]
    fn steps_without_needs_stand_in_the_first_column() {
        let layout = lay_out(&[vec![], vec![], vec![1]]);
        assert_eq!(places(&layout), [(0, 0), (0, 2), (1, 1)]);
        assert_eq!(layout.edges, [(1, 2)]);
    }

    #[test]
    fn an_empty_plan_and_needs_that_are_not_there_are_no_trouble() {
        assert_eq!(
            lay_out(&[]),
            Layout {
                places: vec![],
                edges: vec![],
                columns: 0,
                half_rows: 0
            }
        );
        assert_eq!(lay_out(&[vec![0, 7]]).edges, []);
    }
}
