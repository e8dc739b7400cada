//! Segments that wait to be mended: the most endangered first, or the first come.

use std::collections::VecDeque;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By the live shards that may still be lost: what the coordinator does.
    Danger,
    /// As they came, to compare with.
    Arrival,
}

/// In no class: the segment doesn't wait.
const OUT: u8 = u8::MAX;

/// A segment is in at most one class; places it left behind in others are skipped.
#[derive(Debug)]
pub(super) struct Queue {
    order: Order,
    classes: Vec<VecDeque<u32>>,
    class_of: Vec<u8>,
    len: usize,
}

impl Queue {
    pub(super) fn new(order: Order, segments: usize, classes: usize) -> Self {
        Self { order, classes: vec![VecDeque::new(); classes], class_of: vec![OUT; segments], len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Queues a segment that may lose `spare` more shards, or moves it up.
    pub(super) fn push(&mut self, segment: u32, spare: usize) {
        let class = if self.order == Order::Danger { spare as u8 } else { 0 };
        let held = &mut self.class_of[segment as usize];
        if *held <= class {
            return;
        }
        self.len += usize::from(*held == OUT);
        *held = class;
        self.classes[usize::from(class)].push_back(segment);
    }

    pub(super) fn pop(&mut self) -> Option<u32> {
        for class in 0..self.classes.len() {
            while let Some(segment) = self.classes[class].pop_front() {
                if usize::from(self.class_of[segment as usize]) == class {
                    self.class_of[segment as usize] = OUT;
                    self.len -= 1;
                    return Some(segment);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn the_most_endangered_comes_first_and_once() {
        let mut queue = Queue::new(Order::Danger, 10, 3);
        for (segment, spare) in [(1, 2), (2, 1), (3, 2), (1, 0), (2, 2)] {
            queue.push(segment, spare);
        }
        assert_eq!(queue.len(), 3);
        assert_eq!(drain(&mut queue), [1, 2, 3]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn first_come_is_first_served_where_that_is_asked_for() {
        let mut queue = Queue::new(Order::Arrival, 10, 3);
        for (segment, spare) in [(1, 2), (2, 1), (1, 0)] {
            queue.push(segment, spare);
        }
        assert_eq!(drain(&mut queue), [1, 2]);
    }
}
