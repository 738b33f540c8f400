//! Room 60: filters as SQL, and passages of a text.

use filter::Filter;
use pgrx::JsonB;
use pgrx::prelude::*;
use text_splitter::{ChunkConfig, TextSplitter};

use crate::error::invalid;

/// Of at most `size` characters, cut between paragraphs, sentences or words where that is possible; each begins with
/// up to `overlap` characters of the one before.
#[pg_extern(sql = false)]
fn split_text(content: Option<&str>, size: i32, overlap: i32) -> SetOfIterator<'static, String> {
    let Some(content) = content else {
        return SetOfIterator::empty();
    };
    let (Ok(size @ 1..), Ok(overlap)) = (usize::try_from(size), usize::try_from(overlap)) else {
        invalid("size must be 1 or more and overlap 0 or more", None)
    };
    let config = ChunkConfig::new(size).with_overlap(overlap).unwrap_or_else(|_| {
        invalid(
            format!("overlap {overlap} is not smaller than size {size}"),
            Some("A tenth of the size is usual.".into()),
        )
    });
    let passages: Vec<String> = TextSplitter::new(config).chunks(content).map(str::to_owned).collect();
    SetOfIterator::new(passages)
}

/// `column` comes quoted.
#[pg_extern(sql = false)]
fn filter_predicate(filter: Option<JsonB>, column: Option<&str>, containing: bool) -> Option<String> {
    let json = filter?.0;
    let mut filter = parse(&json);
    if containing {
        filter = parse(&filter::containing(&json));
    }
    Some(filter::sql(&filter, column?).unwrap_or_else(|error| invalid(error.to_string(), error.hint())))
}

fn parse(filter: &serde_json::Value) -> Filter {
    Filter::parse(filter).unwrap_or_else(|error| invalid(error.to_string(), error.hint()))
}
