//! Newton's method for logistic regression with a ridge penalty (iteratively reweighted least squares; Hastie, Tibshirani
//! and Friedman, The Elements of Statistical Learning, 4.4.1).

/// On the square of each weight, which is a normal prior of variance 1; nearly none on the intercept.
const RIDGE: f64 = 1.0;
const RIDGE_OF_INTERCEPT: f64 = 1e-6;
const STEPS: usize = 50;
const PRECISION: f64 = 1e-9;

/// The intercept and a weight for each column, of the rows that `is_used`.
pub fn fit(rows: &[Vec<f64>], won: &[bool], is_used: impl Fn(usize) -> bool) -> Vec<f64> {
    let used: Vec<(&[f64], bool)> =
        (0..rows.len()).filter(|row| is_used(*row)).map(|row| (rows[row].as_slice(), won[row])).collect();
    let size = 1 + rows.first().map_or(0, Vec::len);
    let mut weights = vec![0.0; size];
    let mut loss = penalised_loss(&weights, &used);
    for _ in 0..STEPS {
        let (gradient, hessian) = derivatives(&weights, &used);
        let Some(step) = solve(hessian, gradient) else { break };
        // Half a step while a whole one goes too far.
        let mut share = 1.0;
        let next = loop {
            let next: Vec<f64> = weights.iter().zip(&step).map(|(weight, step)| weight - share * step).collect();
            let next_loss = penalised_loss(&next, &used);
            if next_loss <= loss || share < 1e-6 {
                break (next, next_loss);
            }
            share /= 2.0;
        };
        let moved = loss - next.1;
        (weights, loss) = next;
        if moved.abs() < PRECISION * (1.0 + loss) {
            break;
        }
    }
    weights
}

pub fn probability(weights: &[f64], row: &[f64]) -> f64 {
    1.0 / (1.0 + (-log_odds(weights, row)).exp())
}

fn log_odds(weights: &[f64], row: &[f64]) -> f64 {
    weights[0] + weights[1..].iter().zip(row).map(|(weight, value)| weight * value).sum::<f64>()
}

fn ridge(column: usize) -> f64 {
    if column == 0 { RIDGE_OF_INTERCEPT } else { RIDGE }
}

fn penalised_loss(weights: &[f64], rows: &[(&[f64], bool)]) -> f64 {
    let loss: f64 = rows
        .iter()
        .map(|(row, won)| {
            let log_odds = log_odds(weights, row);
            let wrong = if *won { -log_odds } else { log_odds };
            // ln(1 + e^x) without overflow.
            wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()
        })
        .sum();
    let penalty: f64 = weights.iter().enumerate().map(|(column, weight)| ridge(column) * weight * weight / 2.0).sum();
    loss + penalty
}

/// Of the penalised loss.
fn derivatives(weights: &[f64], rows: &[(&[f64], bool)]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let size = weights.len();
    let mut gradient: Vec<f64> = weights.iter().enumerate().map(|(column, weight)| ridge(column) * weight).collect();
    let mut hessian = vec![vec![0.0; size]; size];
    for (row, won) in rows {
        let probability = probability(weights, row);
        let error = probability - f64::from(u8::from(*won));
        let weight = probability * (1.0 - probability);
        // Most features are absent from most rows.
        let present: Vec<(usize, f64)> = std::iter::once((0, 1.0))
            .chain(row.iter().enumerate().filter(|(_, value)| **value != 0.0).map(|(n, value)| (n + 1, *value)))
            .collect();
        for (n, (column, value)) in present.iter().enumerate() {
            gradient[*column] += error * value;
            for (other, other_value) in &present[..=n] {
                hessian[*column][*other] += weight * value * other_value;
            }
        }
    }
    for (column, row) in hessian.iter_mut().enumerate() {
        row[column] += ridge(column);
    }
    (gradient, hessian)
}

/// Solves `matrix * x = right` by Cholesky's decomposition; only the lower half of the matrix is read. `None` where it is
/// not positive definite.
fn solve(mut matrix: Vec<Vec<f64>>, right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for row in 0..size {
        for column in 0..=row {
            let known: f64 = (0..column).map(|n| matrix[row][n] * matrix[column][n]).sum();
            let rest = matrix[row][column] - known;
            if row == column {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                matrix[row][row] = rest.sqrt();
            } else {
                matrix[row][column] = rest / matrix[column][column];
            }
        }
    }
    let mut x = right;
    for row in 0..size {
        let known: f64 = (0..row).map(|n| matrix[row][n] * x[n]).sum();
        x[row] = (x[row] - known) / matrix[row][row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|n| matrix[n][row] * x[n]).sum();
        x[row] = (x[row] - known) / matrix[row][row];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_binary_column_has_the_odds_of_the_table() {
        // 80 of 100 with it, 20 of 100 without: log-odds 1.386 and -1.386; the penalty draws the weight in a little.
        let rows: Vec<Vec<f64>> = (0..2000).map(|n| vec![f64::from(n % 2)]).collect();
        let won: Vec<bool> = (0..2000).map(|n| if n % 2 == 1 { (n / 2) % 10 < 8 } else { (n / 2) % 10 < 2 }).collect();
        let weights = fit(&rows, &won, |_| true);
        assert!((weights[0] + 1.386).abs() < 0.05, "{weights:?}");
        assert!((weights[1] - 2.772).abs() < 0.05, "{weights:?}");
    }

    #[test]
    fn what_separates_completely_stays_finite() {
        let rows: Vec<Vec<f64>> = (0..100).map(|n| vec![f64::from(n % 2), f64::from(n % 2)]).collect();
        let won: Vec<bool> = (0..100).map(|n| n % 2 == 1).collect();
        let weights = fit(&rows, &won, |_| true);
        assert!(weights.iter().all(|weight| weight.is_finite() && weight.abs() < 10.0), "{weights:?}");
        assert!(probability(&weights, &[1.0, 1.0]) > 0.9 && probability(&weights, &[0.0, 0.0]) < 0.1);
    }

    #[test]
    fn the_gradient_is_zero_at_the_end() {
        let rows: Vec<Vec<f64>> = (0..500).map(|n| vec![f64::from(n % 7) / 7.0, f64::from(n % 3)]).collect();
        let won: Vec<bool> = (0..500).map(|n| (n * 37 + n / 5) % 11 < 4).collect();
        let weights = fit(&rows, &won, |_| true);
        let used: Vec<(&[f64], bool)> = rows.iter().map(Vec::as_slice).zip(won).collect();
        let (gradient, _) = derivatives(&weights, &used);
        assert!(gradient.iter().all(|slope| slope.abs() < 1e-3), "{gradient:?}");
    }
}
