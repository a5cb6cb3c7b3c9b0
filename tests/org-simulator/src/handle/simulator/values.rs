//! What goes into the handle and comes out of it; the admin API speaks the same values in JSON.
