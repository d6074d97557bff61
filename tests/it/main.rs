//! The one integration binary: the real program over real sockets with a real journal on disk.

mod floors;
