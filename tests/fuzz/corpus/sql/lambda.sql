SELECT transform(arr, (x, i) -> x + i), filter(arr, x -> x % 2 = 0), aggregate(arr, 0L, (s, x) -> s + x, s -> s / 2), map_filter(m, (k, v) -> v > 1), exists(s.y, e -> e.z = '') FROM t
