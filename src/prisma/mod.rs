//! Prisma's schema language.

pub(crate) mod write;
