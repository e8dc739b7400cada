//! The one thread that writes. It takes all commands that wait, plans them as one batch, writes and syncs, and only then answers.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::command::{Command, Reply};
use super::direct::Appender;
use super::plan::{Change, Cursor, Plan, Run};
use super::{Shared, StoreError, format, outline, volume};
use crate::limits::{BATCH_BYTES, BATCH_COMMANDS};

/// Somebody to be told how the first `runs` runs of the batch went.
struct Waiting {
    runs: usize,
    answer: Box<dyn FnOnce(Result<(), StoreError>)>,
}

impl Waiting {
    /// `planned` is the answer if the writes succeed; a refusal stands whatever they do.
    fn new<T: 'static>(runs: usize, planned: Result<T, StoreError>, reply: Reply<T>) -> Self {
        Self { runs, answer: Box::new(move |written| drop(reply.send(planned.and_then(|answer| written.map(|()| answer))))) }
    }
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Command>,
    cursor: Cursor,
    appender: Appender,
    stopping: bool,
}

impl Writer {
    /// Goes on at the end of the newest volume.
    pub(crate) fn new(shared: Arc<Shared>, queue: mpsc::Receiver<Command>, newest: Option<u32>) -> Self {
        let offset = newest.and_then(|number| shared.index().volume(number).map(|volume| volume.bytes));
        let cursor = Cursor { volume: newest.unwrap_or(1), offset: offset.unwrap_or(0) };
        Self { shared, queue, cursor, appender: Appender::new(), stopping: false }
    }

    /// Works until stopped or until nobody can ask any more.
    pub(crate) fn run(mut self) {
        while !self.stopping {
            let Some(first) = self.queue.blocking_recv() else { break };
            let batch = self.batch(first);
            self.commit(batch);
        }
        let newest = self.shared.index().file(self.cursor.volume);
        if let Some(Err(error)) = newest.map(|file| file.sync_data()) {
            tracing::error!("the last sync of the store failed: {error}");
        }
    }

    /// `first` and what waits behind it, within the bounds of one batch.
    fn batch(&mut self, first: Command) -> Vec<Command> {
        let mut bytes = 0;
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(command) = next {
            if matches!(command, Command::Stop) {
                self.stopping = true;
                break;
            }
            bytes += command.bytes();
            batch.push(command);
            let room = bytes < BATCH_BYTES && batch.len() < BATCH_COMMANDS;
            next = if room { self.queue.try_recv().ok() } else { None };
        }
        batch
    }

    fn commit(&mut self, batch: Vec<Command>) {
        let (runs, waiting, drops) = self.plan(batch);
        let mut written = 0;
        let mut outcome = Ok(());
        for run in runs {
            outcome = self.write(run);
            if outcome.is_err() {
                break;
            }
            written += 1;
        }
        for Waiting { runs, answer } in waiting {
            answer(if runs <= written { Ok(()) } else { outcome.clone() });
        }
        for (number, reply) in drops {
            let _ = reply.send(self.drop_volume(number));
        }
    }

    #[allow(clippy::type_complexity)]
    fn plan(&self, batch: Vec<Command>) -> (Vec<Run>, Vec<Waiting>, Vec<(u32, Reply<()>)>) {
        let index = self.shared.index();
        let options = &self.shared.options;
        let plan = Plan::new(&index, self.cursor, options.volume_bytes, self.shared.room(index.used_bytes()));
        let long = batch.iter().map(Command::bytes).sum::<usize>() >= options.direct_min_bytes;
        let mut plan = plan.in_blocks(long && !self.appender.is_refused());
        let (mut waiting, mut drops) = (Vec::new(), Vec::new());
        for command in batch {
            match command {
                Command::Put(shard, reply) => {
                    let planned = plan.put(shard);
                    waiting.push(Waiting::new(plan.count(), planned, reply));
                }
                Command::Delete(ids, reply) => {
                    let planned = plan.delete(&ids);
                    waiting.push(Waiting::new(plan.count(), planned, reply));
                }
                Command::Mark { ids, aside, now, reply } => {
                    let planned = plan.mark_all(&ids, aside, now);
                    waiting.push(Waiting::new(plan.count(), planned, reply));
                }
                Command::Discard { ids, before_s, reply } => {
                    let planned = plan.discard(&ids, before_s);
                    waiting.push(Waiting::new(plan.count(), planned, reply));
                }
                Command::Quarantine(id, place, reply) => {
                    let planned = plan.quarantine(id, place);
                    waiting.push(Waiting::new(plan.count(), planned, reply));
                }
                Command::Relocate(records, reply) => {
                    let planned = records.into_iter().try_for_each(|moved| plan.relocate(moved));
                    waiting.push(Waiting::new(plan.count(), planned, reply));
                }
                Command::DropVolume(number, reply) => drops.push((number, reply)),
                Command::Stop => {}
            }
        }
        (plan.into_runs(), waiting, drops)
    }

    /// Makes one run durable and enters it into the index, or leaves no trace of it.
    fn write(&mut self, run: Run) -> Result<(), StoreError> {
        if self.shared.read_only.load(Ordering::Relaxed) {
            return Err(StoreError::ReadOnly);
        }
        if run.entries.iter().any(|entry| matches!(entry.change, Change::Mark { .. })) {
            format::raise(&self.shared.options.dir).map_err(|error| store_error(&error))?;
        }
        let (file, fresh) = self.volume(run.volume).map_err(|error| store_error(&error))?;
        let written = self.appender.append(&self.shared.options.dir, &file, &run);
        let synced = match &written {
            Ok(()) if self.shared.options.fsync => file.sync_data(),
            _ => Ok(()),
        };
        match written.and(synced) {
            Ok(()) => {
                self.apply(run, file, fresh);
                Ok(())
            }
            Err(error) => {
                tracing::error!(volume = run.volume, "a write failed and is rolled back: {error}");
                self.appender.close();
                self.roll_back(&run, &file, fresh);
                Err(store_error(&error))
            }
        }
    }

    /// The file of a volume; a new one if it is the next. The one before is then sealed, so it is synced once even with `fsync`
    /// off.
    fn volume(&self, number: u32) -> io::Result<(Arc<File>, bool)> {
        if let Some(file) = self.shared.index().file(number) {
            return Ok((file, false));
        }
        if let Some(sealed) = self.shared.index().file(self.cursor.volume) {
            sealed.sync_data()?;
        }
        let file = volume::create(&self.shared.options.dir, number, self.shared.options.fsync)?;
        Ok((Arc::new(file), true))
    }

    fn apply(&mut self, run: Run, file: Arc<File>, fresh: bool) {
        let mut index = self.shared.index_mut();
        if fresh {
            index.add_volume(run.volume, file);
        }
        index.set_bytes(run.volume, run.end);
        for entry in run.entries {
            match entry.change {
                Change::Insert { id, at, aside_s, copied_from } => {
                    index.insert(id, at, aside_s);
                    copied_from.into_iter().for_each(|from| index.count_copy(at.place.volume, from));
                }
                Change::Remove { id, target, tombstone_in } => {
                    index.remove_at(&id, target);
                    index.count_tombstone(tombstone_in, target.volume);
                }
                Change::Tombstone { target, tombstone_in } => index.count_tombstone(tombstone_in, target.volume),
                Change::Mark { id, target, mark } => index.mark(id, target, mark),
                Change::Nothing => {}
            }
        }
        drop(index);
        self.cursor = Cursor { volume: run.volume, offset: run.end };
    }

    /// Takes a failed run back. What the kernel still holds of this file is in doubt, so the next record begins a new one.
    fn roll_back(&mut self, run: &Run, file: &File, fresh: bool) {
        let dir = &self.shared.options.dir;
        let undone = if fresh { std::fs::remove_file(volume::path(dir, run.volume)) } else { file.set_len(run.start) };
        match undone {
            Ok(()) if fresh => {}
            Ok(()) => self.cursor.offset = self.cursor.offset.max(self.shared.options.volume_bytes),
            Err(error) => {
                tracing::error!("a failed write can't be undone; the store only reads from now on: {error}");
                self.shared.read_only.store(true, Ordering::Relaxed);
            }
        }
    }

    fn drop_volume(&self, number: u32) -> Result<(), StoreError> {
        let idle = self.shared.index().volume(number).is_some_and(|volume| !volume.has_more() && !volume.is_pinned());
        if number == self.cursor.volume || !idle {
            return Err(StoreError::Io(format!("volume {number} is still in use")));
        }
        let failed = |error: io::Error| store_error(&error);
        // With `fsync` off the copies may not be durable yet, and they replace something that was.
        if let Some(newest) = self.shared.index().file(self.cursor.volume) {
            newest.sync_data().map_err(failed)?;
        }
        let dir = &self.shared.options.dir;
        volume::sync_dir(dir).map_err(failed)?;
        std::fs::remove_file(volume::path(dir, number)).map_err(failed)?;
        self.shared.index_mut().drop_volume(number);
        // What is left of it for now, the next start removes.
        let _ = outline::remove(dir, number, false);
        // Before any tombstone that names this volume is dropped in turn, the volume must be gone for good.
        volume::sync_dir(dir).map_err(failed)
    }
}

fn store_error(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => StoreError::Full,
        _ => StoreError::Io(error.to_string()),
    }
}
