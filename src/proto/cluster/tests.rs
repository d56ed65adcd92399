mod arbitrary;
mod bounds;
mod logging;
mod properties;
mod relaying;
mod returns;
mod rules;
mod simulation;
