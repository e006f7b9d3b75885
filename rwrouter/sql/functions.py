"""Built-in functions: those known to read, and those with an effect or a memory. Names in lower case.

A function that is on no list is taken to write: it may be a stored or loadable one. Sources: "Built-In
Function and Operator Reference" of MySQL 8.0 to 9.x (item_create.cc), "Built-in Functions" of MariaDB.
"""

from typing import Final, NamedTuple

from rwrouter.sql import plans
from rwrouter.sql.words import words_of


class Special(NamedTuple):
    """A function that must not go to any replica. *same*: it asks about the statement before."""

    same: bool
    effects: int
    reason: str


_LOCKS: Final = Special(False, plans.NAMED_LOCK, "takes a named lock")
_RELEASES: Final = Special(True, plans.RELEASES_LOCK, "releases a named lock")
_WAITS: Final = Special(False, 0, "waits for a replication position: ask a server by a hint")
_SEQUENCE: Final = Special(False, plans.WRITES, "moves a sequence")
_LAST_ID: Final = Special(True, plans.LAST_INSERT_ID, "reads the last insert id of the session")

SPECIAL: Final = {
    "get_lock": _LOCKS,
    "service_get_read_locks": _LOCKS,
    "service_get_write_locks": _LOCKS,
    "version_tokens_lock_shared": _LOCKS,
    "version_tokens_lock_exclusive": _LOCKS,
    "release_lock": _RELEASES,
    "release_all_locks": _RELEASES,
    "service_release_locks": _RELEASES,
    "version_tokens_unlock": _RELEASES,
    "is_free_lock": Special(False, 0, "asks for a named lock, which lives on the primary"),
    "is_used_lock": Special(False, plans.CONNECTION_ID, "asks for a named lock, which lives on the primary"),
    "master_pos_wait": _WAITS,
    "source_pos_wait": _WAITS,
    "wait_for_executed_gtid_set": _WAITS,
    "wait_until_sql_thread_after_gtids": _WAITS,
    "master_gtid_wait": _WAITS,
    "nextval": _SEQUENCE,
    "setval": _SEQUENCE,
    "lastval": Special(True, plans.LAST_INSERT_ID, "reads what this connection took from a sequence"),
    "last_insert_id": _LAST_ID,
    "row_count": Special(True, 0, "speaks of the statement before"),
    "found_rows": Special(True, 0, "speaks of the statement before"),
    "connection_id": Special(False, plans.CONNECTION_ID, "mentions the connection's id"),
    "ps_current_thread_id": Special(False, plans.CONNECTION_ID, "describes one server"),
    "ps_thread_id": Special(False, plans.CONNECTION_ID, "describes one server"),
    "uuid_short": Special(False, 0, "UUID_SHORT() counts on one server"),
    "load_file": Special(False, 0, "LOAD_FILE() reads the disk of one server"),
    "version": Special(False, 0, "VERSION() must agree with the greeting"),
}

READS: Final = words_of(
    """
    abs acos adddate addtime aes_decrypt aes_encrypt any_value ascii asin atan atan2 avg benchmark bin
    bin_to_uuid bit_and bit_count bit_length bit_or bit_xor cast ceil ceiling char_length
    character_length charset chr coalesce coercibility collation compress concat concat_ws conv convert
    convert_tz cos cot count crc32 crc32c cume_dist curdate current_date current_role current_time
    current_timestamp current_user curtime database date date_add date_format date_sub datediff day
    dayname dayofmonth dayofweek dayofyear decode decode_histogram degrees dense_rank des_decrypt
    des_encrypt elt encode encrypt exp export_set extract extractvalue field find_in_set first_value
    floor format format_bytes format_pico_time from_base64 from_days from_unixtime from_vector
    get_format greatest group_concat grouping gtid_subset gtid_subtract hex hour if ifnull inet_aton
    inet_ntoa inet6_aton inet6_ntoa insert instr interval is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6
    is_uuid isnull kdf lag last_day last_value lcase lead least left length lengthb ln localtime
    localtimestamp locate log log10 log2 lower lpad ltrim make_set makedate maketime max md5 median
    microsecond mid min minute mod month monthname natural_sort_key now nth_value ntile nullif nvl nvl2
    oct octet_length old_password ord password percent_rank percentile_cont percentile_disc period_add
    period_diff pi position pow power quarter quote radians rand random_bytes rank regexp_instr
    regexp_like regexp_replace regexp_substr repeat replace reverse right roles_graphml round row_number
    rpad rtrim schema sec_to_time second session_user sformat sha sha1 sha2 sign sin sleep soundex space
    sqrt statement_digest statement_digest_text std stddev stddev_pop stddev_samp strcmp
    string_to_vector str_to_date subdate substr substring substring_index subtime sum sysdate sys_guid
    system_user tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64
    to_char to_days to_seconds to_vector trim trim_oracle truncate ucase uncompress uncompressed_length
    unhex unix_timestamp updatexml upper user utc_date utc_time utc_timestamp uuid uuid_to_bin uuid_v4
    uuid_v7 validate_password_strength values value var_pop var_samp variance vec_distance
    vec_distance_cosine vec_distance_euclidean vec_fromtext vec_totext vector_dim vector_distance
    distance vector_to_string week weekday weekofyear weight_string year yearweek char ascii match
    against row add_months months_between name_const column_add column_check column_create column_delete
    column_exists column_get column_json column_list json_array json_array_append json_array_insert
    json_array_intersect json_arrayagg json_compact json_contains json_contains_path json_depth
    json_detailed json_duality_object json_equals json_exists json_extract json_insert json_keys
    json_key_value json_length json_loose json_merge json_merge_patch json_merge_preserve json_normalize
    json_object json_object_filter_keys json_object_to_array json_objectagg json_overlaps json_pretty
    json_query json_quote json_remove json_replace json_schema_valid json_schema_validation_report
    json_search json_set json_storage_free json_storage_size json_table json_type json_unquote
    json_valid json_value area asbinary astext aswkb aswkt boundary buffer centroid contains crosses
    dimension disjoint endpoint envelope equals exteriorring geomcollection geomcollfromtext
    geometrycollection geomfromtext geomfromwkb interiorringn intersects isclosed isempty issimple
    linefromtext linestring mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequal mbrequals
    mbrintersects mbroverlaps mbrtouches mbrwithin multilinestring multipoint multipolygon numgeometries
    numinteriorrings numpoints overlaps point pointfromtext pointn polygon polyfromtext srid startpoint
    touches within glength geometryn geometrytype st_area st_asbinary st_asgeojson st_astext st_aswkb
    st_aswkt st_boundary st_buffer st_buffer_strategy st_centroid st_collect st_contains st_convexhull
    st_crosses st_difference st_dimension st_disjoint st_distance st_distance_sphere st_endpoint
    st_envelope st_equals st_exteriorring st_frechetdistance st_geohash st_geomcollfromtext
    st_geomcollfromwkb st_geometryn st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb
    st_hausdorffdistance st_interiorringn st_intersection st_intersects st_isclosed st_isempty st_isring
    st_issimple st_isvalid st_latfromgeohash st_latitude st_length st_linefromtext st_linefromwkb
    st_lineinterpolatepoint st_lineinterpolatepoints st_longfromgeohash st_longitude st_makeenvelope
    st_mlinefromtext st_mlinefromwkb st_mpointfromtext st_mpointfromwkb st_mpolyfromtext st_mpolyfromwkb
    st_numgeometries st_numinteriorring st_numinteriorrings st_numpoints st_overlaps st_pointatdistance
    st_pointfromgeohash st_pointfromtext st_pointfromwkb st_pointn st_pointonsurface st_polyfromtext
    st_polyfromwkb st_relate st_simplify st_srid st_startpoint st_swapxy st_symdifference st_touches
    st_transform st_union st_validate st_within st_x st_y
    """
)
