//! Rights that a process has only to open interfaces and low ports, given up once they are open: from then on it reads what anybody sends.
use caps::CapSet;

/// Gives up every capability of this thread and of those that it will start; to be called before it starts any. Root without
/// capabilities is bound by the permissions of files as others are.
pub(crate) fn give_up() {
    // The ambient set goes with the permitted one; naming it says so where a kernel has none. Without the bounding set root does not get
    // them back by starting a program; it can only be cleared while there is the right to.
    for set in [CapSet::Bounding, CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        if let Err(error) = caps::clear(None, set) {
            tracing::debug!("capabilities ({set:?}) are kept: {error}");
        }
    }
    match caps::read(None, CapSet::Permitted) {
        Ok(left) if left.is_empty() => tracing::debug!("no capability is left"),
        Ok(left) => tracing::warn!("{} capabilities are left, though none is needed any more", left.len()),
        Err(error) => tracing::warn!("it is not known which capabilities are left: {error}"),
    }
}
