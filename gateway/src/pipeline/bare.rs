//! The pipeline with nothing around it, for benches: bytes up, bytes down.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use nodio_wire::donor::Transport;
use nodio_wire::fleet::Fleet;
use nodio_wire::{Code, CodePolicy};

use super::{Pipeline, PipelineOptions, ReadPiece, WriteOptions, WrittenPart};

/// What the pipeline said went wrong.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A pipeline of its own.
pub struct Bare {
    pipeline: Pipeline,
    code: CodePolicy,
}

/// Bytes that were written.
pub struct BarePart(WrittenPart);

impl Bare {
    pub fn new(fleet: Arc<dyn Fleet>, transport: Arc<dyn Transport>, code: Code, memory_bytes_max: usize) -> Self {
        let pipeline = Pipeline::new(fleet, transport, PipelineOptions { memory_bytes_max });
        Self { pipeline, code: CodePolicy::Fixed(code) }
    }

    /// Writes `chunks` as one body of a known length, without checksums beyond what every write computes.
    ///
    /// # Errors
    /// The pipeline's own.
    pub async fn write(&self, chunks: Vec<Bytes>) -> Result<BarePart, Failure> {
        let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let options = WriteOptions { checksums: Vec::new(), length: Some(length), bytes_max: u64::MAX, code: self.code };
        let body = stream::iter(chunks.into_iter().map(Ok)).boxed();
        Ok(BarePart(self.pipeline.write(body, options).await?))
    }

    /// Reads all of it; `sink` gets each chunk as it comes.
    ///
    /// # Errors
    /// The pipeline's own.
    pub async fn read(&self, BarePart(part): &BarePart, mut sink: impl FnMut(Bytes)) -> Result<(), Failure> {
        let piece =
            ReadPiece { part: part.id, key: part.key.clone(), place: part.place.clone(), len: part.len, range: 0..part.len };
        let mut body = self.pipeline.read(vec![piece]).await?;
        while let Some(chunk) = body.try_next().await? {
            sink(chunk);
        }
        Ok(())
    }
}
