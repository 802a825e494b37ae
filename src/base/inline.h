/* Hints to the compiler, for the loops that have earned them. */
#ifndef BASE_INLINE_H
#define BASE_INLINE_H

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline, cold))

#endif
