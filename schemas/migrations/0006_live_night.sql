-- The live night: what people order from its page, the parameters that single frames are reduced with, goals of
-- observing, and the light of each spectrum.

-- An order is carried out in the transaction that writes it: here stands who gave it, when and why. Never changed.
CREATE TABLE observer_order (
    order_id    text PRIMARY KEY,                    -- derived from who and the form: sent twice, it is done once
    night       text NOT NULL CHECK (night ~ '^\d{8}$'),
    kind        text NOT NULL CHECK (kind IN ('junk', 'unjunk', 'reduce')),
    parameters  jsonb NOT NULL DEFAULT '{}',         -- of 'reduce', by 2dFdr's names
    reason      text NOT NULL,
    who         text NOT NULL,
    address     text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL
);
CREATE INDEX observer_order_night ON observer_order (night, at);

CREATE TABLE observer_order_frame (
    order_id  text NOT NULL REFERENCES observer_order ON DELETE CASCADE,
    frame_id  text NOT NULL,
    effect    text NOT NULL,                         -- what it came to, for people
    PRIMARY KEY (order_id, frame_id)
);
CREATE INDEX observer_order_frame_frame ON observer_order_frame (frame_id);

-- Parameters that somebody set for a frame, beside those of every reduction. Empty: none any more.
CREATE TABLE frame_parameters (
    frame_id    text PRIMARY KEY,
    night       text NOT NULL,
    parameters  jsonb NOT NULL,
    reason      text NOT NULL,
    who         text NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX frame_parameters_night ON frame_parameters (night);

-- What observers want to reach, each for the nights from one on. The empty proposal is for all that set none.
CREATE TABLE observing_goal (
    proposal         text NOT NULL DEFAULT '',
    from_night       text NOT NULL CHECK (from_night ~ '^\d{8}$'),
    signal_to_noise  real NOT NULL CHECK (signal_to_noise > 0 AND signal_to_noise <= 1000),  -- median, per Angstrom
    magnitude        real CHECK (magnitude BETWEEN -5 AND 40),  -- none: that which a fifth of the targets is fainter than
    share            real NOT NULL DEFAULT 0.8 CHECK (share > 0 AND share <= 1),
    source           text NOT NULL,
    set_by           text NOT NULL,
    set_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (proposal, from_night)
);
INSERT INTO observing_goal (proposal, from_night, signal_to_noise, source, set_by) VALUES
    ('', '19960101', 3,
     'Redshifts become secure between 2 and 3 per Angstrom (OzDES, Childress et al. 2017, MNRAS 472, 273)', 'PAWS Live');

-- Median flux of a spectrum, in the product's unit (electrons for the built-in reducer), over the whole exposure.
ALTER TABLE spectrum ADD COLUMN flux real;
