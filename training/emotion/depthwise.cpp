// PReLU, a depth-wise 3x3 convolution with its bias and a PReLU, on maps (N, H, W, C) of bfloat16 or
// float32, C a multiple of 16, with float32 weights: kernel (9, C), bias and slopes (C). As many
// channels of one face at a time as a vector holds, so that everything between the two maps stays in
// the cache.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

#ifdef __AVX512F__
constexpr int64_t LANES = 16;
#else
constexpr int64_t LANES = 8;
#endif
// Vectors of GCC and Clang, which become the instructions that the machine has.
typedef float Lanes __attribute__((vector_size(LANES * 4)));
typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));
typedef uint16_t Halves __attribute__((vector_size(LANES * 2)));
using Half = uint16_t;  // a bfloat16 is the upper half of a float32

struct Free {
  void operator()(float* p) const { std::free(p); }
};
using Plane = std::unique_ptr<float, Free>;

template <typename Vector, typename Element>
inline Vector read(const Element* from) {
  Vector x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

inline Lanes load(const float* from) { return read<Lanes>(from); }

inline Lanes load(const Half* from) {
  return (Lanes)(__builtin_convertvector(read<Halves>(from), Bits) << 16);
}

inline void store(float* to, Lanes x) { std::memcpy(to, &x, sizeof x); }

inline void store(Half* to, Lanes x) {
#ifdef __AVX512BF16__
  const auto half = _mm512_cvtneps_pbh((__m512)x);
#else  // to the nearest, to even between two; no sum here is large enough to become infinite
  const Bits bits = (Bits)x;
  const Halves half = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, Halves);
#endif
  std::memcpy(to, &half, sizeof half);
}

inline Lanes zero() { return Lanes{}; }

inline Lanes prelu(Lanes x, Lanes slope) { return x < zero() ? x * slope : x; }

// What a gradient behind a PReLU is before it, and the slope's.
inline Lanes behind(Lanes gradient, Lanes x, Lanes slope) {
  return x < zero() ? gradient * slope : gradient;
}

inline Lanes of_slope(Lanes gradient, Lanes x) { return gradient * (x < zero() ? x : zero()); }

inline void add(float* to, Lanes x) { store(to, load(to) + x); }

struct Shape {
  int64_t height, width, channels, stride;
  int64_t out_height() const { return (height - 1) / stride + 1; }
  int64_t out_width() const { return (width - 1) / stride + 1; }
  int64_t inner() const { return height * width * channels; }
  int64_t outer() const { return out_height() * out_width() * channels; }
  int64_t row() const { return (width + 2) * LANES; }
  int64_t plane() const { return (height + 2) * row(); }
  // What the i-th weight of nine sees where a window of a plane begins at `corner`.
  Lanes seen(const float* corner, int i) const {
    return load(corner + i / 3 * row() + i % 3 * LANES);
  }
};

// A map of a vector's channels with a border of zeros.
Plane zeros(const Shape& shape) {
  float* plane = static_cast<float*>(std::aligned_alloc(64, (shape.plane() * 4 + 63) / 64 * 64));
  if (!plane) std::abort();
  std::fill(plane, plane + shape.plane(), 0.0f);
  return Plane(plane);
}

template <typename Map>
void activate(const Shape shape, const Map* from, Lanes slope, float* plane) {
  for (int64_t y = 0; y < shape.height; ++y)
    for (int64_t x = 0; x < shape.width; ++x)
      store(plane + (y + 1) * shape.row() + (x + 1) * LANES,
            prelu(load(from + (y * shape.width + x) * shape.channels), slope));
}

template <typename Map>
void forward(int64_t faces, const Shape shape, const Map* maps, const float* before,
             const float* kernel, const float* bias, const float* after, Map* middle, Map* out) {
  const int64_t channels = shape.channels, stride = shape.stride;
  const Plane plane = zeros(shape);
  for (int64_t face = 0; face < faces; ++face)
    for (int64_t c = 0; c < channels; c += LANES) {
      activate(shape, maps + face * shape.inner() + c, load(before + c), plane.get());
      const Lanes slope = load(after + c);
      Lanes weight[9];
      for (int i = 0; i < 9; ++i) weight[i] = load(kernel + i * channels + c);
      for (int64_t y = 0; y < shape.out_height(); ++y)
        for (int64_t x = 0; x < shape.out_width(); ++x) {
          const float* corner = plane.get() + y * stride * shape.row() + x * stride * LANES;
          Lanes sum = load(bias + c);
          for (int i = 0; i < 9; ++i) sum += weight[i] * shape.seen(corner, i);
          const int64_t at =
              face * shape.outer() + (y * shape.out_width() + x) * channels + c;
          store(middle + at, sum);
          store(out + at, prelu(sum, slope));
        }
    }
}

template <typename Map>
void backward(int64_t faces, const Shape shape, const Map* maps, const float* before,
              const float* kernel, const float* after, const Map* middle, const Map* of_out,
              Map* of_maps, float* sums) {
  const int64_t channels = shape.channels, stride = shape.stride;
  const Plane plane = zeros(shape), scattered = zeros(shape);
  for (int64_t face = 0; face < faces; ++face)
    for (int64_t c = 0; c < channels; c += LANES) {
      const Map* own = maps + face * shape.inner() + c;
      const Lanes first = load(before + c), second = load(after + c);
      activate(shape, own, first, plane.get());
      std::fill(scattered.get(), scattered.get() + shape.plane(), 0.0f);
      Lanes weight[9], of_weight[9];
      Lanes of_bias = zero(), of_first = zero(), of_second = zero();
      for (int i = 0; i < 9; ++i) {
        weight[i] = load(kernel + i * channels + c);
        of_weight[i] = zero();
      }
      for (int64_t y = 0; y < shape.out_height(); ++y)
        for (int64_t x = 0; x < shape.out_width(); ++x) {
          const int64_t at =
              face * shape.outer() + (y * shape.out_width() + x) * channels + c;
          const Lanes given = load(of_out + at), value = load(middle + at);
          of_second += of_slope(given, value);
          const Lanes gradient = behind(given, value, second);
          of_bias += gradient;
          const int64_t corner = y * stride * shape.row() + x * stride * LANES;
          for (int i = 0; i < 9; ++i)
            of_weight[i] += gradient * shape.seen(plane.get() + corner, i);
          store(scattered.get() + corner + shape.row() + LANES, gradient);
        }
      for (int64_t y = 0; y < shape.height; ++y)
        for (int64_t x = 0; x < shape.width; ++x) {
          const float* corner = scattered.get() + y * shape.row() + x * LANES;
          Lanes sum = zero();
          for (int i = 0; i < 9; ++i) sum += weight[8 - i] * shape.seen(corner, i);
          const int64_t at = (y * shape.width + x) * channels;
          const Lanes value = load(own + at);
          of_first += of_slope(sum, value);
          store(of_maps + face * shape.inner() + c + at, behind(sum, value, first));
        }
      for (int i = 0; i < 9; ++i) add(sums + i * channels + c, of_weight[i]);
      add(sums + 9 * channels + c, of_bias);
      add(sums + 10 * channels + c, of_first);
      add(sums + 11 * channels + c, of_second);
    }
}

}  // namespace

// Maps are bfloat16 where `half`. `middle` is what the second PReLU gets: the backward pass reads it.
extern "C" void depthwise_forward(int64_t half, int64_t faces, int64_t height, int64_t width,
                                  int64_t channels, int64_t stride, const void* maps,
                                  const float* before, const float* kernel, const float* bias,
                                  const float* after, void* middle, void* out) {
  const Shape shape{height, width, channels, stride};
  if (half)
    forward(faces, shape, static_cast<const Half*>(maps), before, kernel, bias, after,
            static_cast<Half*>(middle), static_cast<Half*>(out));
  else
    forward(faces, shape, static_cast<const float*>(maps), before, kernel, bias, after,
            static_cast<float*>(middle), static_cast<float*>(out));
}

// `sums` (12, C): the gradients of the kernel, the bias, the first slope and the second are added.
extern "C" void depthwise_backward(int64_t half, int64_t faces, int64_t height, int64_t width,
                                   int64_t channels, int64_t stride, const void* maps,
                                   const float* before, const float* kernel, const float* after,
                                   const void* middle, const void* of_out, void* of_maps,
                                   float* sums) {
  const Shape shape{height, width, channels, stride};
  if (half)
    backward(faces, shape, static_cast<const Half*>(maps), before, kernel, after,
             static_cast<const Half*>(middle), static_cast<const Half*>(of_out),
             static_cast<Half*>(of_maps), sums);
  else
    backward(faces, shape, static_cast<const float*>(maps), before, kernel, after,
             static_cast<const float*>(middle), static_cast<const float*>(of_out),
             static_cast<float*>(of_maps), sums);
}
