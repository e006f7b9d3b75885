"""Built-in functions: those known to read, and those with an effect or a memory. Names in lower case.

A function that is on no list is taken to write: it may be a stored or loadable one. Sources: "Built-In
Function and Operator Reference" of MySQL 8.0 to 9.x (item_create.cc), "Built-in Functions" of MariaDB.
"""

from typing import Final, NamedTuple

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.words import words_of


class Special(NamedTuple):
    """A function that must not go to any replica. *same*: it asks about the statement before."""

    same: bool
    effects: int
    reason: str


_LOCKS: Final = Special(False, plans.NAMED_LOCK, "takes a named lock")
_RELEASES: Final = Special(False, plans.RELEASES_LOCK, "releases a named lock")
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

# In both dialects. A name that only some of their versions know is listed too: where it is none of the
# server's own, it can be a stored function's; one that is named so and yet writes is learnt from the replica
# that refuses it.
_READS: Final = words_of(
    """
    abs acos adddate addtime aes_decrypt aes_encrypt ascii asin atan atan2 avg benchmark bin bit_and
    bit_count bit_length bit_or bit_xor cast ceil ceiling char char_length character_length charset
    coalesce coercibility collation compress concat concat_ws conv convert convert_tz cos cot count
    crc32 cume_dist curdate current_date current_role current_time current_timestamp current_user
    curtime database date date_add date_format date_sub datediff day dayname dayofmonth dayofweek
    dayofyear degrees dense_rank elt exp export_set extract extractvalue field find_in_set first_value
    floor format format_pico_time from_base64 from_days from_unixtime geometrycollection get_format
    greatest group_concat hex hour if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr
    interval is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 isnull json_array json_array_append
    json_array_insert json_arrayagg json_contains json_contains_path json_depth json_extract json_insert
    json_keys json_length json_merge json_merge_patch json_merge_preserve json_object json_objectagg
    json_overlaps json_pretty json_quote json_remove json_replace json_schema_valid json_search json_set
    json_table json_type json_unquote json_valid json_value lag last_day last_value lcase lead least
    left length linestring ln localtime localtimestamp locate log log10 log2 lower lpad ltrim make_set
    makedate maketime match max mbrcontains mbrdisjoint mbrequals mbrintersects mbroverlaps mbrtouches
    mbrwithin md5 microsecond mid min minute mod month monthname multilinestring multipoint multipolygon
    name_const now nth_value ntile nullif oct octet_length ord password percent_rank period_add
    period_diff pi polygon position pow power quarter quote radians rand random_bytes rank regexp_instr
    regexp_replace regexp_substr repeat replace reverse right round row row_number rpad rtrim schema
    sec_to_time second session_user sha sha1 sha2 sign sin sleep soundex space sqrt srid st_area
    st_asbinary st_asgeojson st_astext st_aswkb st_aswkt st_buffer st_centroid st_contains st_convexhull
    st_crosses st_difference st_dimension st_disjoint st_distance st_distance_sphere st_endpoint
    st_envelope st_equals st_exteriorring st_geomcollfromtext st_geomcollfromwkb st_geometryn
    st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb st_interiorringn st_intersection
    st_intersects st_isclosed st_isempty st_issimple st_length st_linefromtext st_linefromwkb
    st_mlinefromtext st_mlinefromwkb st_mpointfromtext st_mpointfromwkb st_mpolyfromtext st_mpolyfromwkb
    st_numgeometries st_numinteriorrings st_numpoints st_overlaps st_pointfromtext st_pointfromwkb
    st_pointn st_polyfromtext st_polyfromwkb st_srid st_startpoint st_symdifference st_touches st_union
    st_within st_x st_y std stddev stddev_pop stddev_samp str_to_date strcmp subdate substr substring
    substring_index subtime sum sysdate system_user tan time time_format time_to_sec timediff timestamp
    timestampadd timestampdiff to_base64 to_days to_seconds trim truncate ucase uncompress
    uncompressed_length unhex unix_timestamp updatexml upper user utc_date utc_time utc_timestamp uuid
    value values var_pop var_samp variance week weekday weekofyear weight_string year yearweek
    """
)
_MYSQL_READS: Final = words_of(
    """
    any_value bin_to_uuid format_bytes from_vector geomcollection grouping gtid_subset gtid_subtract
    icu_version is_uuid json_duality_object json_schema_validation_report json_storage_free json_storage_size
    mbrcoveredby mbrcovers point regexp_like roles_graphml st_buffer_strategy st_collect
    st_frechetdistance st_geohash st_hausdorffdistance st_isvalid st_latfromgeohash st_latitude
    st_lineinterpolatepoint st_lineinterpolatepoints st_longfromgeohash st_longitude st_makeenvelope
    st_numinteriorring st_pointatdistance st_pointfromgeohash st_simplify st_swapxy st_transform
    st_validate statement_digest statement_digest_text string_to_vector to_vector uuid_to_bin
    validate_password_strength vector_dim vector_distance vector_to_string
    """
)
_MARIADB_READS: Final = words_of(
    """
    add_months asbinary astext aswkb aswkt centroid chr column_add column_check column_create
    column_delete column_exists column_get column_json column_list crc32c crosses decode
    decode_histogram des_decrypt des_encrypt dimension encode encrypt endpoint exteriorring
    geomcollfromtext geometryn geometrytype geomfromtext geomfromwkb glength interiorringn isclosed
    issimple json_array_intersect json_compact json_detailed json_equals json_exists json_key_value
    json_loose json_normalize json_object_filter_keys json_object_to_array json_query kdf lengthb
    linefromtext mbrequal median months_between natural_sort_key numgeometries numinteriorrings
    numpoints nvl nvl2 old_password percentile_cont percentile_disc pointfromtext pointn polyfromtext
    sformat st_boundary st_isring st_pointonsurface st_relate startpoint sys_guid to_char trim_oracle
    uuid_v4 uuid_v7 vec_distance vec_distance_cosine vec_distance_euclidean vec_fromtext vec_totext
    """
)
READS: Final = {Flavor.MYSQL: _READS | _MYSQL_READS, Flavor.MARIADB: _READS | _MARIADB_READS}
