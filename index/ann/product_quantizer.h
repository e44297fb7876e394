// ProductQuantizer: descriptors in a fraction of their int8 codes, for collections whose codes do not fit the memory.
//
// A descriptor is cut into `code_bytes` parts (the last padded with zeros), and each part becomes the number of the
// nearest of 256 centroids of its own: 192 bytes at 1536 values, an eighth of the int8 code. The inner product of a
// query with a row is then estimated by one table look-up a byte (asymmetric distance computation; Jegou, Douze and
// Schmid, TPAMI 2011). Estimates are coarse: they choose candidates, which the caller re-scores in full precision.
//
// Training, encoding, tables and the bytes on disk are FAISS's (faiss::ProductQuantizer).
//
// Threading: immutable; all methods may be called from any thread. Train takes minutes and enters OpenMP regions: it
// runs on a build thread. Ownership: owns its centroids. Failure: Status; FAISS's exceptions end here.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto quantizer, ProductQuantizer::Train(sample, dim, {}));
//   quantizer->Encode(descriptor.data(), code);
//   const std::vector<float> table = quantizer->Table(query.data());
//   float estimate = 0;
//   quantizer->Scores(table.data(), &code, 1, &estimate);
#ifndef SIGHTLINE_INDEX_ANN_PRODUCT_QUANTIZER_H_
#define SIGHTLINE_INDEX_ANN_PRODUCT_QUANTIZER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace faiss {
struct ProductQuantizer;
}  // namespace faiss

namespace sightline::index {

class ProductQuantizer {
 public:
  static constexpr size_t kCentroids = 256;  // of every part: its number fits a byte

  struct TrainOptions {
    size_t code_bytes = 0;  // 1 to dim; 0: DefaultCodeBytes
    int iterations = 12;    // of k-means
    int threads = 1;        // of OpenMP, for this call
    int seed = 1;
  };

  // Eight values a byte, at least one byte.
  static size_t DefaultCodeBytes(size_t dim) { return dim < 8 ? 1 : dim / 8; }

  // Over rows x dim values, finite. Refuses fewer rows than kCentroids; sees 65,536 at most.
  static absl::StatusOr<std::shared_ptr<const ProductQuantizer>> Train(absl::Span<const float> sample, size_t dim,
                                                                       const TrainOptions& options);
  ~ProductQuantizer();
  ProductQuantizer(const ProductQuantizer&) = delete;
  ProductQuantizer& operator=(const ProductQuantizer&) = delete;

  absl::StatusOr<std::string> Save() const;
  // What Save wrote. The caller has verified the bytes' checksum; sizes are checked before FAISS reads them, and
  // DATA_LOSS says which number is wrong.
  static absl::StatusOr<std::shared_ptr<const ProductQuantizer>> Load(absl::string_view bytes, size_t dim);

  // descriptor (dim) -> code (code_bytes).
  void Encode(const float* descriptor, uint8_t* code) const;
  // query (dim) -> what every part of it and every centroid of that part give (code_bytes x kCentroids).
  std::vector<float> Table(const float* query) const;
  // out[r] ~ <query, row r>, from the query's table.
  void Scores(const float* table, const uint8_t* const* codes, size_t count, float* out) const;

  size_t dim() const { return dim_; }
  size_t code_bytes() const { return code_bytes_; }
  int64_t memory_bytes() const;

 private:
  ProductQuantizer(std::unique_ptr<faiss::ProductQuantizer> quantizer, size_t dim);

  // The descriptor with zeros up to a whole number of parts.
  std::vector<float> Padded(const float* descriptor) const;

  const std::unique_ptr<const faiss::ProductQuantizer> quantizer_;
  const size_t dim_;
  const size_t code_bytes_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_PRODUCT_QUANTIZER_H_
