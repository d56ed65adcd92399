mod arbitrary;
mod bounds;
mod logging;
mod properties;
mod returns;
mod rules;
mod simulation;
