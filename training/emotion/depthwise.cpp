// PReLU, a depth-wise 3x3 convolution with its bias and a PReLU, on bfloat16 maps (N, H, W, C), C a
// multiple of 16, with float32 weights: kernel (9, C), bias and slopes (C). Sixteen channels of one
// face at a time, so that everything between the two maps stays in the cache.
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace {

constexpr int64_t LANES = 16;
using Half = uint16_t;

struct Free {
  void operator()(float* p) const { std::free(p); }
};
using Plane = std::unique_ptr<float, Free>;

inline __m512 load(const Half* from) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

inline void store(Half* to, __m512 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x));
}

inline __mmask16 negative(__m512 x) {
  return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
}

inline __m512 prelu(__m512 x, __m512 slope) {
  return _mm512_mask_mul_ps(x, negative(x), x, slope);
}

inline void add(float* to, __m512 x) { _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), x)); }

struct Shape {
  int64_t height, width, channels, stride;
  int64_t out_height() const { return (height - 1) / stride + 1; }
  int64_t out_width() const { return (width - 1) / stride + 1; }
  int64_t inner() const { return height * width * channels; }
  int64_t outer() const { return out_height() * out_width() * channels; }
  int64_t row() const { return (width + 2) * LANES; }
  int64_t plane() const { return (height + 2) * row(); }
  // What the i-th weight of nine sees where a window of a plane begins at `corner`.
  __m512 seen(const float* corner, int i) const {
    return _mm512_load_ps(corner + i / 3 * row() + i % 3 * LANES);
  }
};

// A map of sixteen channels with a border of zeros.
Plane zeros(const Shape& shape) {
  float* plane = static_cast<float*>(std::aligned_alloc(64, shape.plane() * sizeof(float)));
  if (!plane) std::abort();
  std::fill(plane, plane + shape.plane(), 0.0f);
  return Plane(plane);
}

void activate(const Shape& shape, const Half* from, __m512 slope, float* plane) {
  for (int64_t y = 0; y < shape.height; ++y)
    for (int64_t x = 0; x < shape.width; ++x)
      _mm512_store_ps(plane + (y + 1) * shape.row() + (x + 1) * LANES,
                      prelu(load(from + (y * shape.width + x) * shape.channels), slope));
}

}  // namespace

// `middle` is what the second PReLU gets: the backward pass reads it.
extern "C" void depthwise_forward(int64_t faces, int64_t height, int64_t width, int64_t channels,
                                  int64_t stride, const Half* maps, const float* before,
                                  const float* kernel, const float* bias, const float* after,
                                  Half* middle, Half* out) {
  const Shape shape{height, width, channels, stride};
  const Plane plane = zeros(shape);
  for (int64_t face = 0; face < faces; ++face)
    for (int64_t c = 0; c < channels; c += LANES) {
      activate(shape, maps + face * shape.inner() + c, _mm512_loadu_ps(before + c), plane.get());
      const __m512 slope = _mm512_loadu_ps(after + c);
      __m512 weight[9];
      for (int i = 0; i < 9; ++i) weight[i] = _mm512_loadu_ps(kernel + i * channels + c);
      for (int64_t y = 0; y < shape.out_height(); ++y)
        for (int64_t x = 0; x < shape.out_width(); ++x) {
          const float* corner = plane.get() + y * stride * shape.row() + x * stride * LANES;
          __m512 sum = _mm512_loadu_ps(bias + c);
          for (int i = 0; i < 9; ++i)
            sum = _mm512_fmadd_ps(weight[i], shape.seen(corner, i), sum);
          const int64_t at =
              face * shape.outer() + (y * shape.out_width() + x) * channels + c;
          store(middle + at, sum);
          store(out + at, prelu(sum, slope));
        }
    }
}

// `sums` (12, C): the gradients of the kernel, the bias, the first slope and the second are added.
extern "C" void depthwise_backward(int64_t faces, int64_t height, int64_t width, int64_t channels,
                                   int64_t stride, const Half* maps, const float* before,
                                   const float* kernel, const float* after, const Half* middle,
                                   const Half* of_out, Half* of_maps, float* sums) {
  const Shape shape{height, width, channels, stride};
  const Plane plane = zeros(shape), scattered = zeros(shape);
  for (int64_t face = 0; face < faces; ++face)
    for (int64_t c = 0; c < channels; c += LANES) {
      const Half* own = maps + face * shape.inner() + c;
      const __m512 first = _mm512_loadu_ps(before + c), second = _mm512_loadu_ps(after + c);
      activate(shape, own, first, plane.get());
      std::fill(scattered.get(), scattered.get() + shape.plane(), 0.0f);
      __m512 weight[9], of_weight[9];
      __m512 of_bias = _mm512_setzero_ps(), of_first = of_bias, of_second = of_bias;
      for (int i = 0; i < 9; ++i) {
        weight[i] = _mm512_loadu_ps(kernel + i * channels + c);
        of_weight[i] = _mm512_setzero_ps();
      }
      for (int64_t y = 0; y < shape.out_height(); ++y)
        for (int64_t x = 0; x < shape.out_width(); ++x) {
          const int64_t at =
              face * shape.outer() + (y * shape.out_width() + x) * channels + c;
          const __m512 given = load(of_out + at), value = load(middle + at);
          of_second = _mm512_mask3_fmadd_ps(given, value, of_second, negative(value));
          const __m512 slope = _mm512_mask_mul_ps(given, negative(value), given, second);
          of_bias = _mm512_add_ps(of_bias, slope);
          const int64_t corner = y * stride * shape.row() + x * stride * LANES;
          for (int i = 0; i < 9; ++i)
            of_weight[i] =
                _mm512_fmadd_ps(slope, shape.seen(plane.get() + corner, i), of_weight[i]);
          _mm512_store_ps(scattered.get() + corner + shape.row() + LANES, slope);
        }
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x) {
          const float* corner = scattered.get() + y * shape.row() + x * LANES;
          __m512 sum = _mm512_setzero_ps();
          for (int i = 0; i < 9; ++i)
            sum = _mm512_fmadd_ps(weight[8 - i], shape.seen(corner, i), sum);
          const int64_t at = (y * width + x) * channels;
          const __m512 value = load(own + at);
          of_first = _mm512_mask3_fmadd_ps(sum, value, of_first, negative(value));
          store(of_maps + face * shape.inner() + c + at,
                _mm512_mask_mul_ps(sum, negative(value), sum, first));
        }
      for (int i = 0; i < 9; ++i) add(sums + i * channels + c, of_weight[i]);
      add(sums + 9 * channels + c, of_bias);
      add(sums + 10 * channels + c, of_first);
      add(sums + 11 * channels + c, of_second);
    }
}
