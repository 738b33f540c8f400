//! Room 60: filters as SQL, and passages of a text.

use filter::Filter;
use pgrx::prelude::*;
use text_splitter::{ChunkConfig, TextSplitter};

use crate::error::{OrReport, invalid, raise};
use crate::pg::jsonb::Jsonb;

/// A text that is split, in bytes.
const MOST_TEXT: usize = 64 << 20;
/// All its passages, in bytes: with a large overlap they may be many times the text.
const MOST_PASSED: usize = 256 << 20;

/// Of at most `size` characters, cut between paragraphs, sentences or words where that is possible; each begins with
/// up to `overlap` characters of the one before.
#[pg_extern(sql = false)]
fn split_text(content: Option<&str>, size: Option<i32>, overlap: Option<i32>) -> SetOfIterator<'static, String> {
    let Some(content) = content else {
        return SetOfIterator::empty();
    };
    let number = |value: Option<i32>| value.and_then(|value| usize::try_from(value).ok());
    let (Some(size @ 1..), Some(overlap)) = (number(size), number(overlap)) else {
        invalid("size must be 1 or more and overlap 0 or more", None)
    };
    let config = ChunkConfig::new(size).with_overlap(overlap).unwrap_or_else(|_| {
        invalid(
            format!("overlap {overlap} is not smaller than size {size}"),
            Some("A tenth of the size is usual.".into()),
        )
    });
    if content.len() > MOST_TEXT {
        too_much(format!("the text has {} MB, of which at most {} are split", content.len() >> 20, MOST_TEXT >> 20));
    }
    // Before the work, as far as that can be known: as many more as they overlap.
    if (content.len() / (size - overlap)).saturating_mul(size) > MOST_PASSED {
        too_much(format!("the passages of the text would have more than {} MB", MOST_PASSED >> 20));
    }
    let splitter = TextSplitter::new(config);
    let mut passages: Vec<String> = Vec::new();
    let mut passed = 0;
    for block in blocks(content, size.saturating_mul(20).clamp(20_000, 1_000_000)) {
        for passage in splitter.chunks(block) {
            pgrx::check_for_interrupts!();
            passed += passage.len();
            if passed > MOST_PASSED {
                too_much(format!("the passages of the text have more than {} MB", MOST_PASSED >> 20));
            }
            passages.push(passage.to_owned());
        }
    }
    SetOfIterator::new(passages)
}

fn too_much(message: String) -> ! {
    raise(
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        message,
        None,
        Some("Store it as several documents, or let passages overlap by less.".into()),
    )
}

/// Of at most `most` characters, cut at the last place of the second half that offers itself: for the splitter, a text
/// without any break takes time that grows with the square of its length.
fn blocks(content: &str, most: usize) -> Vec<&str> {
    let mut blocks = Vec::new();
    let mut rest = content;
    while let Some((end, _)) = rest.char_indices().nth(most) {
        let breaks = ["\n\n", "\n", ". ", " "].into_iter();
        let mut places = breaks.filter_map(|mark| rest[..end].rfind(mark).map(|at| at + mark.len()));
        let cut = places.find(|place| *place > end / 2).unwrap_or(end);
        let (block, remainder) = rest.split_at(cut);
        blocks.push(block);
        rest = remainder;
    }
    blocks.push(rest);
    blocks
}

/// `column` comes quoted.
#[pg_extern(sql = false)]
fn filter_predicate(filter: Option<Jsonb>, column: Option<&str>, containing: Option<bool>) -> Option<String> {
    let json = filter?.0;
    let mut filter = Filter::parse(&json).or_report();
    if containing == Some(true) {
        filter = Filter::parse(&filter::containing(&json)).or_report();
    }
    Some(filter::sql(&filter, column?).or_report())
}
