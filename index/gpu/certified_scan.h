// CertifiedScan: the exact best rows of a view (row_device.h) by its approximate scores, or the knowledge that these do
// not suffice.
//
// Exact means: what comparing every row in full precision on the CPU gives (RowSource of index/ann/exact_scan.h), ties
// by row. For a query q, a row x and x', what the device holds of it, the device's score g and the CPU's score c are
//
//   |g - c| <= |<q,x'> - <q,x>| + |g - <q,x'>| + |c - <q,x>|
//           <= |q| residual + |q| rounding (norm + residual) + |q| (dim / 4 + 32) 2^-24 norm + dim 2^-147  =:  e
//
// with residual >= |x - x'| and norm >= |x| over all rows (the largest of them), the device's rounding of a sum, and
// the CPU's, which makes it of at least four partial sums (index/kernels/scan_query.h); the last term is for products
// below the smallest normal number. The view is asked for more rows than wanted, and these are scored again on the CPU,
// the most promising first, until one has g + e below the k-th best c: neither it nor any row behind it or not returned
// can be among the best k. Where that does not happen, because many rows are nearer to each other than e, the view is
// asked again for as many as it has, and then it is given up. Nothing is certified where e is not a number or scores
// might overflow.
//
// Threading: from any thread. Ownership: borrows everything until it returns. Failure: FAILED_PRECONDITION
// (NOT_CERTIFIED), and what RowView::Best returns.
#ifndef SIGHTLINE_INDEX_GPU_CERTIFIED_SCAN_H_
#define SIGHTLINE_INDEX_GPU_CERTIFIED_SCAN_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/ann/exact_scan.h"
#include "index/gpu/row_device.h"

namespace sightline::index::gpu {

// The e above; not finite where nothing is known.
double ScoreError(const float* query, size_t dim, const RowErrors& errors);

bool IsNotCertified(const absl::Status& status);

// Among the rows before `end` that are visible to the view, and in `visible` unless that is empty
// (RowView::Query::visible). request.visible is asked beside.
absl::StatusOr<ScanResult> CertifiedScan(const RowView& view, size_t dim, uint32_t end,
                                         absl::Span<const uint64_t> visible, const ScanRequest& request,
                                         RowSource& source, const ScanRun& run);

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_CERTIFIED_SCAN_H_
