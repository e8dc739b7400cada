//! `nodio inspect`: where one object's bytes lie, as a small picture.

mod picture;

use anyhow::{Context, Result, bail};
use nodio_gateway::admin::{ObjectView, PartView};
use nodio_wire::api::{Inspect, SegmentView};
use nodio_wire::client::OperatorApi;
use nodio_wire::limits::SEGMENTS_PER_CALL_MAX;
use serde::Serialize;

use crate::failure::Usage;
use crate::object_url::ObjectUrl;
use crate::objects::{Objects, named};
use crate::reach::Reach;
use crate::say::say;
use crate::words::count;
use picture::Picture;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The object: s3://BUCKET/KEY.
    url: ObjectUrl,
    /// Another version than the newest.
    #[arg(long, value_name = "ID")]
    version: Option<String>,
    /// Draw each segment; without it, healthy ones in a row are one line.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Page {
    url: String,
    object: ObjectView,
    /// Of the object's parts, in their order.
    segments: Vec<Vec<Option<SegmentView>>>,
    /// Segments that can't be read now.
    unreadable: u64,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    if args.url.key.is_empty() {
        return Err(Usage("name an object: s3://BUCKET/KEY".into()).into());
    }
    let object = find(&args).await?;
    let unreadable = if args.json { json(&args, object).await? } else { draw(&args, &object).await? };
    if unreadable > 0 {
        bail!("{} can't be read now", count(unreadable, "segment"));
    }
    Ok(())
}

/// The version asked for.
async fn find(args: &Args) -> Result<ObjectView> {
    let config = args.reach.gateway()?;
    let mut objects = Objects::at(&config, &args.url);
    while let Some(page) = objects.next().await? {
        let wanted = |object: &ObjectView| match args.version.as_deref() {
            None => object.newest,
            Some("null") => object.version.is_none(),
            Some(version) => object.version.as_deref() == Some(version),
        };
        match page.into_iter().find(wanted) {
            Some(object) if object.delete_marker => bail!("{} is deleted; --version names an older one", args.url),
            Some(object) => return Ok(object),
            None => {}
        }
    }
    match &args.version {
        Some(version) => bail!("there is no version {version} of {}", args.url),
        None => bail!("there is no object {}", args.url),
    }
}

async fn json(args: &Args, object: ObjectView) -> Result<u64> {
    let mut page = Page { url: args.url.to_string(), segments: Vec::new(), unreadable: 0, object };
    for part in page.object.parts.iter().filter(|part| part.segments > 0) {
        let mut walk = Segments::of(args.reach.operator()?, part);
        let mut segments = Vec::new();
        while let Some(views) = walk.next().await? {
            segments.extend(views);
        }
        page.unreadable += segments.iter().filter(|view| !picture::is_readable(view.as_ref())).count() as u64;
        page.segments.push(segments);
    }
    say(&format!("{}\n", serde_json::to_string_pretty(&page)?));
    Ok(page.unreadable)
}

async fn draw(args: &Args, object: &ObjectView) -> Result<u64> {
    say(&picture::head(&named(&args.url, &object.key, object.version.as_deref()), object));
    let mut picture = Picture::new(args.all);
    for part in &object.parts {
        picture.begin_part(part, object.parts.len());
        if part.segments > 0 {
            let mut walk = Segments::of(args.reach.operator()?, part);
            while let Some(views) = walk.next().await? {
                views.iter().for_each(|view| picture.segment(view.as_ref()));
                say(&picture.take());
            }
        }
        picture.end_part();
        say(&picture.take());
    }
    say(&picture.foot());
    Ok(picture.unreadable())
}

/// A part's segments in order, as many at once as one answer holds.
struct Segments<'a> {
    api: OperatorApi,
    part: &'a PartView,
    first: u32,
}

impl<'a> Segments<'a> {
    fn of(api: OperatorApi, part: &'a PartView) -> Self {
        Self { api, part, first: 0 }
    }

    /// The next ones; `None` for one that the coordinator doesn't know.
    async fn next(&mut self) -> Result<Option<Vec<Option<SegmentView>>>> {
        let count = (self.part.segments - self.first).min(SEGMENTS_PER_CALL_MAX as u32);
        if count == 0 {
            return Ok(None);
        }
        let ask = Inspect { part: self.part.part, first: self.first, count };
        let views = self.api.inspect(&ask).await.context("can't ask for the segments")?;
        let mut slots = vec![None; count as usize];
        for view in views {
            let slot = view.segment.index.checked_sub(self.first).and_then(|index| slots.get_mut(index as usize));
            if let Some(slot) = slot {
                *slot = Some(view);
            }
        }
        self.first += count;
        Ok(Some(slots))
    }
}
