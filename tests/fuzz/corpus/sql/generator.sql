concat('user_', CAST(floor(rand(7) * 100) AS INT), uuid(), element_at(array('a', 'b'), 1), round(24 + 3 * randn(), 2))
