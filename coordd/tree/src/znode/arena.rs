//! Slots in chunks: an id is an index, a chunk never moves, freed slots are given out again, the last freed first.
//!
//! Rule: the order of free slots is part of the replicated state (ids stand in digest and snapshot). Chunks are not
//! given back: a tree that shrank keeps its slots for the next growth.

use super::{Node, NodeId};

const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

#[derive(Debug)]
pub(crate) struct Arena {
    chunks: Vec<Vec<Node>>,
    slots: u32,
    free_head: NodeId,
    live: u32,
}

impl Arena {
    pub(crate) fn new() -> Arena {
        Arena { chunks: Vec::new(), slots: 0, free_head: NodeId::NONE, live: 0 }
    }

    pub(crate) fn get(&self, id: NodeId) -> &Node {
        &self.chunks[(id.0 >> CHUNK_BITS) as usize][id.0 as usize & (CHUNK - 1)]
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.chunks[(id.0 >> CHUNK_BITS) as usize][id.0 as usize & (CHUNK - 1)]
    }

    /// The slot that the next `place` fills.
    pub(crate) fn next_id(&self) -> NodeId {
        self.free_head.some().unwrap_or(NodeId(self.slots))
    }

    pub(crate) fn place(&mut self, node: Node) -> NodeId {
        self.live += 1;
        if let Some(id) = self.free_head.some() {
            self.free_head = self.get(id).next;
            *self.get_mut(id) = node;
            return id;
        }
        self.push(node)
    }

    pub(crate) fn free(&mut self, id: NodeId) {
        *self.get_mut(id) = Node::free(self.free_head);
        self.free_head = id;
        self.live -= 1;
    }

    /// Adds the next slot of a snapshot, free or not.
    pub(crate) fn restore(&mut self, node: Node) -> NodeId {
        self.live += u32::from(!node.is_free());
        self.push(node)
    }

    fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.slots);
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(node),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(node);
                self.chunks.push(chunk);
            }
        }
        self.slots += 1;
        id
    }

    /// Slots in use and free.
    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    pub(crate) fn free_head(&self) -> NodeId {
        self.free_head
    }

    pub(crate) fn set_free_head(&mut self, head: NodeId) {
        self.free_head = head;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Node>()
    }
}
