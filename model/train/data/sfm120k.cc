// SfM-120k (Radenovic et al. 2018). It is published as a Python pickle; what is read here is its plain form, a list of
// "cid cluster" lines exported from db["train"]["cids"] and db["train"]["cluster"]. Images lie in root/ef/cd/ab/CID,
// without an ending, ab, cd and ef being the 6th and 5th, 4th and 3rd, 2nd and 1st characters of the cid from its end.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/data/layout.h"
#include "model/train/data/space_list.h"

namespace sightline::train {

absl::Status ReadSfm120k(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSplit(config, {}));
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile file, ReadList(config, "retrieval-SfM-120k.txt"));
  SpaceList list(file, {"cid", "cluster"});
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, list.Next());
    if (!more) return absl::OkStatus();
    const absl::string_view cid = list[0];
    if (!IsPlainId(cid, 6, 64)) return list.Wrong(0, "it must be of 6 to 64 letters and digits. Correct the line.");
    SIGHTLINE_RETURN_IF_ERROR(list.Int(1, 0, INT64_MAX).status());
    const size_t end = cid.size();
    builder.Add({.path = Below(config, absl::StrCat(cid.substr(end - 2), "/", cid.substr(end - 4, 2), "/",
                                                    cid.substr(end - 6, 2), "/", cid))},
                list[1]);
  }
}

}  // namespace sightline::train
