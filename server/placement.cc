#include "server/placement.h"

#include <algorithm>

namespace sightline::server {

std::vector<model::LoadOptions> Placement::LoadsOf(const std::string& name, const model::LoadOptions& options) const {
  const bool int8 = std::any_of(int8_models.begin(), int8_models.end(),
                                [&name](const std::string& one) { return one == "all" || one == name; });
  if (int8) {
    model::LoadOptions load = OnCpu(options);
    load.numeric = model::Numeric::kInt8;
    return {load};
  }
  std::vector<model::LoadOptions> loads;
  for (const model::Device& device : devices) {
    loads.push_back(options);
    loads.back().device = device;
    loads.back().numeric = device.cuda ? model::Numeric::kBf16 : model::Numeric::kFp32;
  }
  return loads;
}

model::LoadOptions Placement::OnCpu(model::LoadOptions options) {
  options.device = {};
  options.numeric = model::Numeric::kFp32;
  return options;
}

}  // namespace sightline::server
