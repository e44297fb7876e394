// Where a whitening gets its descriptors from: a folder of images, or a file written by `sightline export`. Images of
// one group show the same thing: those of one folder, or those with the same value of an attribute.
//
// Threading: pure functions; the model they are given belongs to them meanwhile. Ownership: the source holds what its
// descriptors view. Failure: Status that names the file.
//
//   auto source = EmbedFolder(*model, "photos");
//   FitLearnedWhitening(source->descriptors, GroupPairs(source->groups), 512);
#ifndef SIGHTLINE_MODEL_TRAIN_DESCRIPTOR_SOURCE_H_
#define SIGHTLINE_MODEL_TRAIN_DESCRIPTOR_SOURCE_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "model/model.h"
#include "model/train/whitening.h"

namespace sightline::train {

struct DescriptorSource {
  Descriptors descriptors;
  std::vector<std::string> groups;  // one per row; empty for an image of no group
  int64_t skipped = 0;              // files that are no readable image

  std::vector<float> embedded;
  std::shared_ptr<const base::MappedFile> file;
};

// Every image below `folder`, in the order of their paths, embedded by `model`; says on standard error how far it is.
// A file that is no image is skipped. Of more files than `most`, those evenly spread are taken.
absl::StatusOr<DescriptorSource> EmbedFolder(model::Model& model, const std::string& folder,
                                             int64_t most = std::numeric_limits<int64_t>::max());

// The descriptors of an exported collection. FAILED_PRECONDITION with reason SPACE_MISMATCH where another model than
// `model` made them. Groups are the values of the attribute `group_by`; with an empty name there are none.
absl::StatusOr<DescriptorSource> ReadExport(const model::ModelInfo& model, const std::string& path,
                                            const std::string& group_by);

// Pairs within groups: every image with up to eight that follow it in its group.
std::vector<Pair> GroupPairs(const std::vector<std::string>& groups);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DESCRIPTOR_SOURCE_H_
