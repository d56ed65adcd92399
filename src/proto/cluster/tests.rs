mod bounds;
mod properties;
mod rules;
mod simulation;
