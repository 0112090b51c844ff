-- The signal to noise of single spectra, taken in by earlier versions as if pixels shared no noise with their
-- neighbours: 1.22 times too high. Where the reducer told it for each fibre, its figure takes their place. What has no
-- such figure stays (paws/signal.py). The figures are the engine's, which may write anything.
UPDATE spectrum s
SET signal_to_noise = CASE
    WHEN jsonb_typeof(p.quality -> 'snr' -> (s.fibre - 1)) = 'number'
        AND abs((p.quality -> 'snr' -> (s.fibre - 1))::numeric) <= 1e30
    THEN round((p.quality -> 'snr' -> (s.fibre - 1))::numeric, 9)::real
END
FROM product p
WHERE p.product_id = s.product_id
    AND jsonb_typeof(p.quality -> 'snr') = 'array'
    AND CASE WHEN jsonb_typeof(p.quality -> 'snr') = 'array'
        THEN p.quality -> 'shape' -> 0 = to_jsonb(jsonb_array_length(p.quality -> 'snr')) ELSE false END;
