//! Plans, carried out on objects that are kept as Kubernetes keeps them.

mod guards;
mod histories;
mod hosts;
mod laws;
mod maps;
mod names;
mod said;
mod shelf;
mod slices;
mod specs;
