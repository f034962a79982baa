//! Promises in a snapshot.
use super::{Epoch, PartitionId, Progress};
use crate::snapshot::{EpochState, SourceState};

impl Progress {
    /// What was sent on a partition, by the runs that sent it, in the order in which each sensor's were met.
    pub(crate) fn saved(&self, partition: PartitionId) -> Vec<EpochState> {
        let here = self.epochs.iter().filter(|((_, p), _)| *p == partition);
        let of = |sensor: &String, e: &Epoch| EpochState {
            sensor: sensor.clone(),
            epoch: e.name.clone(),
            next_row: e.next_row,
            promise: e.promise,
            ended: e.ended,
            refused: e.refused,
        };
        here.flat_map(|((sensor, _), epochs)| epochs.iter().map(move |e| of(sensor, e))).collect()
    }

    /// Sensors, watermark and end, into what is saved.
    pub(crate) fn save(&self, into: &mut SourceState) {
        into.expected = self.expected.iter().cloned().collect();
        (into.watermark, into.end, into.rested) = (self.watermark, self.end, self.rested);
    }

    /// Sensors, watermark and end from what was saved. A sensor that the settings named then and name no more was taken out of service: it
    /// is not waited for.
    pub(crate) fn resume(&mut self, saved: &SourceState) {
        let gone = |sensor: &&String| saved.told.contains(sensor) && !self.expected.contains(*sensor);
        let stay: Vec<String> = saved.expected.iter().filter(|s| !gone(s)).cloned().collect();
        self.expected.extend(stay);
        (self.watermark, self.end, self.rested) = (saved.watermark, saved.end, saved.rested);
    }

    /// What was sent on a partition.
    pub(crate) fn resume_partition(&mut self, partition: PartitionId, epochs: &[EpochState]) {
        for e in epochs {
            let (name, refused) = (e.epoch.clone(), e.refused);
            let met = refused || e.promise.is_some_and(|p| p > i64::MIN) || e.next_row.is_some_and(|n| n > 0);
            let epoch = Epoch { name, next_row: e.next_row, promise: e.promise, ended: e.ended, met, refused };
            self.epochs.entry((e.sensor.clone(), partition)).or_default().push_back(epoch);
        }
    }
}
