//! How good predictions were that were made without knowing the outcome.

use serde::Serialize;

const BINS: usize = 10;

#[derive(Debug, Serialize)]
pub struct Measured {
    /// Area under the ROC curve: how often a positive case is given a higher probability than a negative one; 0.5 is chance.
    pub auc: f64,
    /// Mean squared error of the probability.
    pub brier: f64,
    /// By how much the probability is off on average, over the bins of `calibration`.
    pub calibration_error: f64,
    /// The rows in order of their probability, in parts of the same size.
    pub calibration: Vec<Bin>,
}

#[derive(Debug, Serialize)]
pub struct Bin {
    pub rows: usize,
    pub predicted: f64,
    pub observed: f64,
}

/// `folds`: which model predicted each.
pub fn measure(probabilities: &[f64], won: &[bool], folds: &[usize]) -> Measured {
    let mut cases: Vec<(f64, bool)> = probabilities.iter().copied().zip(won.iter().copied()).collect();
    // Probabilities of different models are not ranked among each other: what is held out of one makes its others rarer.
    let numbers: std::collections::BTreeSet<usize> = folds.iter().copied().collect();
    let auc_of = |number: &usize| {
        let mut fold: Vec<(f64, bool)> =
            cases.iter().zip(folds).filter(|(_, fold)| *fold == number).map(|(case, _)| *case).collect();
        fold.sort_by(|a, b| a.0.total_cmp(&b.0));
        auc(&fold)
    };
    let mean_auc = numbers.iter().map(auc_of).sum::<f64>() / numbers.len().max(1) as f64;
    cases.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rows = cases.len().max(1) as f64;
    let outcome = |won: bool| f64::from(u8::from(won));
    let brier = cases.iter().map(|(probability, won)| (probability - outcome(*won)).powi(2)).sum::<f64>() / rows;
    let size = cases.len().div_ceil(BINS).max(1);
    let calibration: Vec<Bin> = cases
        .chunks(size)
        .map(|bin| Bin {
            rows: bin.len(),
            predicted: rounded(bin.iter().map(|(probability, _)| probability).sum::<f64>() / bin.len() as f64),
            observed: rounded(bin.iter().map(|(_, won)| outcome(*won)).sum::<f64>() / bin.len() as f64),
        })
        .collect();
    let off = calibration.iter().map(|bin| (bin.predicted - bin.observed).abs() * bin.rows as f64).sum::<f64>() / rows;
    Measured { auc: rounded(mean_auc), brier: rounded(brier), calibration_error: rounded(off), calibration }
}

/// By ranks (Mann and Whitney); equal probabilities share theirs. `cases` in order.
fn auc(cases: &[(f64, bool)]) -> f64 {
    let positive = cases.iter().filter(|(_, won)| *won).count() as f64;
    let negative = cases.len() as f64 - positive;
    if positive == 0.0 || negative == 0.0 {
        return 0.5;
    }
    let mut ranks = 0.0;
    let mut before = 0;
    for equal in cases.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + (equal.len() as f64 + 1.0) / 2.0;
        ranks += rank * equal.iter().filter(|(_, won)| *won).count() as f64;
        before += equal.len();
    }
    (ranks - positive * (positive + 1.0) / 2.0) / (positive * negative)
}

fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_under_the_curve() {
        let auc_of = |probabilities: &[f64], won: &[bool]| measure(probabilities, won, &vec![0; won.len()]).auc;
        assert_eq!(auc_of(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, true]), 1.0);
        assert_eq!(auc_of(&[0.9, 0.8, 0.2, 0.1], &[false, false, true, true]), 0.0);
        assert_eq!(auc_of(&[0.5, 0.5, 0.5, 0.5], &[false, true, false, true]), 0.5);
        // Of the four pairs three are in order.
        assert_eq!(auc_of(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), 0.75);
    }

    #[test]
    fn calibration_of_what_is_exactly_right() {
        let probabilities = vec![0.25; 400];
        let won: Vec<bool> = (0..400).map(|n| n % 4 == 0).collect();
        let measured = measure(&probabilities, &won, &vec![0; 400]);
        assert_eq!((measured.calibration.len(), measured.calibration_error), (10, 0.0));
        assert_eq!(measured.brier, 0.1875);
    }
}
