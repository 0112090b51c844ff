-- The signal to noise of single spectra, taken in by earlier versions as if pixels shared no noise with their
-- neighbours: 1.22 times too high. Where the reducer told it for each fibre, its figure takes their place. What has no
-- such figure stays (paws/signal.py). The figures are the engine's, which may write anything. A product's list is
-- opened once, not once for each of its rows.
UPDATE spectrum s
SET signal_to_noise = t.figure
FROM (
    SELECT p.product_id, e.place AS fibre,
        CASE WHEN jsonb_typeof(e.value) = 'number' THEN
            CASE WHEN abs(e.value::numeric) <= 1e30 THEN round(e.value::numeric, 9)::real END
        END AS figure
    FROM product p
    CROSS JOIN LATERAL jsonb_array_elements(
        CASE WHEN jsonb_typeof(p.quality -> 'snr') = 'array' THEN p.quality -> 'snr' ELSE '[]' END
    ) WITH ORDINALITY e(value, place)
    WHERE CASE WHEN jsonb_typeof(p.quality -> 'snr') = 'array'
        THEN p.quality -> 'shape' -> 0 = to_jsonb(jsonb_array_length(p.quality -> 'snr')) ELSE false END
) t
WHERE s.product_id = t.product_id AND s.fibre = t.fibre AND s.signal_to_noise IS DISTINCT FROM t.figure;
