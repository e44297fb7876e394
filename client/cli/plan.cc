#include "client/cli/plan.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

// Above this a collection uses inverted lists, whose memory is the codes and 4 bytes a row.
constexpr int64_t kGraphImages = 10'000'000;

// Decimal units, as disks and memory are sold and as the design states its figures.
std::string Decimal(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < std::size(kUnits)) {
    bytes /= 1000;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", bytes, kUnits[unit]);
}

}  // namespace

absl::StatusOr<int64_t> ParseImageCount(absl::string_view text) {
  absl::string_view digits = text;
  double factor = 1;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'k':
      case 'K': factor = 1e3; break;
      case 'm':
      case 'M': factor = 1e6; break;
      case 'g':
      case 'G': factor = 1e9; break;
      default: break;
    }
    if (factor > 1) digits.remove_suffix(1);
  }
  double number = 0;
  if (!absl::SimpleAtod(digits, &number) || !(number * factor >= 1) || number * factor > 1e12) {
    return base::InvalidArgument(
        "USAGE",
        absl::StrCat("--plan is \"", Printable(text),
                     "\". Write a number of images from 1 to 1000G, such as 250000, 500k or 100M."),
        {{"argument", "plan"}});
  }
  return static_cast<int64_t>(std::llround(number * factor));
}

Plan MakePlan(const PlanInput& input) {
  const auto n = static_cast<double>(input.images);
  const auto dim = static_cast<double>(input.descriptor_dim);
  constexpr double kLinks = 16;
  constexpr double kGraphBytes = 2 * kLinks * 4 + kLinks * 4 / (kLinks - 1) + 12;
  constexpr double kListBytes = 4;
  constexpr int64_t kTrailer = 8, kAlignment = 64;
  constexpr double kRowBytes = 48, kKeyBytes = 8, kChecksumBytes = 4;
  const auto stride = static_cast<double>((input.descriptor_dim + kTrailer + kAlignment - 1) / kAlignment * kAlignment);
  Plan plan;
  plan.descriptors_float32 = n * dim * 4;
  plan.descriptors_float16 = n * dim * 2;
  plan.codes = n * stride;
  plan.graph = n * (input.images > kGraphImages ? kListBytes : kGraphBytes);
  plan.rows = n * (kRowBytes + kChecksumBytes);
  plan.segment_files_float32 = n * (stride + dim * 4 + kKeyBytes + kChecksumBytes);
  plan.segment_files_float16 = n * (stride + dim * 2 + kKeyBytes + kChecksumBytes);
  constexpr double kHalfBytes = 2, kTokenHead = 13;
  const auto cells = static_cast<double>(input.token_cells);
  const auto token_dim = static_cast<double>(input.token_dim);
  if (cells > 0) plan.tokens = n * (cells * token_dim + kHalfBytes * (cells + token_dim) + kTokenHead);
  return plan;
}

std::string RenderPlan(const PlanInput& input) {
  const Plan plan = MakePlan(input);
  Table table({{"layer"}, {"where"}, {"size", Align::kRight}});
  table.AddRow({"int8 codes", "memory", Decimal(plan.codes)});
  table.AddRow({input.images > kGraphImages ? "inverted lists" : "graph", "memory", Decimal(plan.graph)});
  table.AddRow({"rows", "memory", Decimal(plan.rows)});
  table.AddRow({"descriptors, float32", "disk", Decimal(plan.descriptors_float32)});
  table.AddRow({"descriptors, float16", "disk, instead", Decimal(plan.descriptors_float16)});
  table.AddRow({"segment files, float32", "disk", Decimal(plan.segment_files_float32)});
  table.AddRow({"segment files, float16", "disk, instead", Decimal(plan.segment_files_float16)});
  table.AddRow({"patch tokens", "disk", Decimal(plan.tokens)});
  return absl::StrCat(Plural(input.images, "image"), ", descriptors of ", FormatCount(input.descriptor_dim),
                      " values, ", FormatCount(input.token_cells), " tokens of ", FormatCount(input.token_dim),
                      " values\n\n", table.Render(), "\nmemory ", Decimal(plan.codes + plan.graph + plan.rows),
                      ", disk ", Decimal(plan.descriptors_float32 + plan.segment_files_float32 + plan.tokens),
                      " (float16: ", Decimal(plan.descriptors_float16 + plan.segment_files_float16 + plan.tokens),
                      "); ids, attributes, previews and the free space that merging needs come on top\n");
}

std::string PlanJson(const PlanInput& input) {
  const Plan plan = MakePlan(input);
  return JsonObject()
      .Int("images", input.images)
      .Int("descriptor_dim", input.descriptor_dim)
      .Int("token_cells", input.token_cells)
      .Int("token_dim", input.token_dim)
      .Number("codes_bytes", plan.codes)
      .Number("graph_bytes", plan.graph)
      .Number("rows_bytes", plan.rows)
      .Number("segment_files_float32_bytes", plan.segment_files_float32)
      .Number("segment_files_float16_bytes", plan.segment_files_float16)
      .Number("descriptors_float32_bytes", plan.descriptors_float32)
      .Number("descriptors_float16_bytes", plan.descriptors_float16)
      .Number("tokens_bytes", plan.tokens)
      .Done();
}

}  // namespace sightline::cli
