//! The pure parts of index deferral: definitions of both servers, plans, and who sees what.
